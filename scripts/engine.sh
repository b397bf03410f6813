#!/usr/bin/env bash
# Makes sure that a docker engine and the compose v2 plug-in are there. Does nothing when they are.
# Installs only as root on a Debian-like system; elsewhere it says in one sentence what to install.
set -euo pipefail

COMPOSE_VERSION=2.26.1-4
COMPOSE_SHA256=47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea
MIRROR=${RMQHA_DEBIAN_MIRROR:-http://deb.debian.org/debian}
LOG=${RMQHA_DOCKERD_LOG:-/var/log/rmqha-dockerd.log}

say() { printf 'engine: %s\n' "$*"; }
die() { printf 'engine: %s\n' "$*" >&2; exit 1; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

updated=no
apt_install() {
  if [ "$updated" = no ]; then say "apt-get update"; apt-get update -qq; updated=yes; fi
  say "installing $*"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/tmp/rmqha-apt.log 2>&1 \
    || { tail -n 15 /tmp/rmqha-apt.log >&2; die "could not install $*"; }
}

start_engine() {
  # An engine started by hand gets a session and a log file of its own: inheriting our pipe would keep its reader waiting.
  say "starting dockerd (its log: $LOG)"
  rm -f /var/run/docker.pid
  setsid dockerd >"$LOG" 2>&1 </dev/null &
  for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && return
    sleep 0.5
  done
  tail -n 15 "$LOG" >&2
  die "dockerd did not answer within 60 s"
}

if ! timeout 20 docker info >/dev/null 2>&1; then
  if ! can_install; then
    die "no docker engine answers: install and start Docker Engine 20.10 or later with the compose v2 plug-in, and let this user ask it."
  fi
  command -v dockerd >/dev/null && command -v iptables >/dev/null || apt_install docker.io iptables ca-certificates
  start_engine
fi
say "docker $(docker version --format '{{.Server.Version}}') answers"

if ! docker compose version >/dev/null 2>&1; then
  can_install || die "docker has no compose v2 plug-in: install docker-compose-plugin (or docker-compose 2.x)."
  say "installing the compose v2 plug-in $COMPOSE_VERSION"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  command -v curl >/dev/null || apt_install curl
  curl -fsS --max-time 120 -o "$work/compose.deb" \
    "$MIRROR/pool/main/d/docker-compose/docker-compose_${COMPOSE_VERSION}_$(dpkg --print-architecture).deb" \
    || die "could not fetch docker-compose $COMPOSE_VERSION from $MIRROR"
  if [ "$(dpkg --print-architecture)" = amd64 ]; then
    echo "$COMPOSE_SHA256  $work/compose.deb" | sha256sum -c --quiet || die "docker-compose $COMPOSE_VERSION has the wrong SHA-256"
  fi
  dpkg-deb -x "$work/compose.deb" "$work/root"
  mkdir -p "$HOME/.docker/cli-plugins"
  install -m 755 "$work/root/usr/libexec/docker/cli-plugins/docker-compose" "$HOME/.docker/cli-plugins/docker-compose"
fi
say "compose $(docker compose version --short)"

# What images are made with where they cannot be pulled.
if can_install; then
  missing=()
  command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
  command -v go >/dev/null || [ -x /usr/local/go/bin/go ] || missing+=(golang-go)
  if [ "${#missing[@]}" -gt 0 ]; then apt_install "${missing[@]}"; fi
fi
