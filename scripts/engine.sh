#!/usr/bin/env bash
# Makes sure that a docker engine and the compose v2 plug-in are there. Does nothing when they are.
# Installs only as root on a Debian-like system; elsewhere it says in one sentence what to install.
set -euo pipefail

COMPOSE_VERSION=2.26.1-4
COMPOSE_SHA256=47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea # amd64; others: trixie's index
MIRROR=${RMQHA_DEBIAN_MIRROR:-http://deb.debian.org/debian}
LOG=${RMQHA_DOCKERD_LOG:-/var/log/rmqha-dockerd.log}

say() { printf 'engine: %s\n' "$*"; }
die() { printf 'engine: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; }

# watched TEXT COMMAND...: runs it, its output in a file, and says every 10 s that it still runs.
watched() {
  local text=$1 pid waited=0
  shift
  "$@" >"$work/log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    waited=$((waited + 1))
    [ $((waited % 50)) -ne 0 ] || say "$text: $((waited / 5)) s so far"
  done
  wait "$pid" || { tail -n 15 "$work/log" >&2; return 1; }
}

updated=no
apt_install() {
  if [ "$updated" = no ]; then
    say "apt-get update"
    watched "apt-get update" apt-get update -qq || die "apt-get update failed: is the package mirror reachable?"
    updated=yes
  fi
  say "installing $*"
  watched "installing $*" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ||
    die "could not install $*"
}

answers() { timeout 20 docker info >/dev/null 2>&1; }

start_engine() {
  local pid=""
  if pidof dockerd >/dev/null; then
    say "dockerd runs and does not answer yet: waiting for it"
  else
    # A session and a log file of its own: a daemon that inherits our pipe keeps whoever reads it waiting for ever.
    say "starting dockerd (its log: $LOG)"
    rm -f /var/run/docker.pid
    setsid dockerd >"$LOG" 2>&1 </dev/null &
    pid=$!
  fi
  local until=$((SECONDS + 60))
  while [ "$SECONDS" -lt "$until" ]; do
    answers && return
    [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null || break
    sleep 0.5
  done
  [ ! -f "$LOG" ] || tail -n 15 "$LOG" >&2
  die "dockerd did not answer within 60 s, or ended; its log is $LOG"
}

if ! answers; then
  [ -z "${DOCKER_HOST:-}" ] || die "the engine at DOCKER_HOST=$DOCKER_HOST does not answer: start it, or unset DOCKER_HOST."
  can_install ||
    die "no docker engine answers: install and start Docker Engine 20.10 or later with the compose v2 plug-in, and let this user ask it."
  if ! command -v docker >/dev/null || ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
    apt_install docker.io iptables ca-certificates
  fi
  # The package's own service may have started it by now.
  answers || start_engine
fi
say "docker $(docker version --format '{{.Server.Version}}') answers"

# The newest version in trixie's index and its SHA-256, where the pinned one is gone or is for another processor.
from_index() {
  curl -fsS --max-time 120 -o "$work/Packages.xz" "$MIRROR/dists/trixie/main/binary-$arch/Packages.xz" || return 1
  command -v xz >/dev/null || apt_install xz-utils
  xz -dc "$work/Packages.xz" | awk -v RS= '/^Package: docker-compose\n/' >"$work/entry"
  file=$(sed -n 's/^Filename: //p' "$work/entry")
  sum=$(sed -n 's/^SHA256: //p' "$work/entry")
  [ -n "$file" ] && [ -n "$sum" ]
}

fetch() { curl -fsS --max-time 300 -o "$work/compose.deb" "$MIRROR/$file"; }

if ! docker compose version >/dev/null 2>&1; then
  can_install ||
    die "docker has no compose v2 plug-in: install docker-compose-plugin (Docker's packages) or docker-compose 2.x (Debian trixie)."
  command -v curl >/dev/null || apt_install curl ca-certificates
  arch=$(dpkg --print-architecture)
  file=pool/main/d/docker-compose/docker-compose_${COMPOSE_VERSION}_amd64.deb sum=$COMPOSE_SHA256
  say "fetching the compose v2 plug-in from trixie's packages"
  if [ "$arch" != amd64 ] || ! watched "fetching compose" fetch 2>/dev/null; then
    from_index && watched "fetching compose" fetch || die "could not fetch docker-compose for $arch from $MIRROR"
  fi
  echo "$sum  $work/compose.deb" | sha256sum -c --quiet || die "$file has the wrong SHA-256: it is not used"
  dpkg-deb -x "$work/compose.deb" "$work/root"
  plugin=$(find "$work/root" -type f -name docker-compose -path '*cli-plugins*' | head -n 1)
  [ -n "$plugin" ] || die "$file holds no cli-plugins/docker-compose"
  mkdir -p "$HOME/.docker/cli-plugins"
  install -m 755 "$plugin" "$HOME/.docker/cli-plugins/docker-compose"
  docker compose version >/dev/null || die "the compose plug-in was installed and does not run"
fi
say "compose $(docker compose version --short)"

# What a base image is made with where it can't be pulled.
if ! command -v mmdebstrap >/dev/null && can_install; then apt_install mmdebstrap; fi
