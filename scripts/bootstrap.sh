#!/usr/bin/env bash
# Makes .venv with the pinned versions of requirements.lock and this project in it; does nothing when that is there.
# A .venv that is there and runs is brought up to date in place, so that what uses it goes on.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'environment: %s\n' "$*"; }
die() { printf 'environment: %s\n' "$*" >&2; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
find_python() {
  for python in python3 python3.14 python3.13 python3.12 python3.11; do
    command -v "$python" >/dev/null && new_enough "$python" && "$python" -c 'import venv, ensurepip' 2>/dev/null && return
  done
  return 1
}

stamp=$(cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1)-$PWD
if [ -x .venv/bin/pytest ] && [ "$(cat .venv/.stamp 2>/dev/null || true)" = "$stamp" ]; then
  say ".venv is up to date"
  exit 0
fi

if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python && head -n 1 .venv/bin/pip 2>/dev/null | grep -qF "$PWD/.venv/"; }; then
  if ! find_python; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
      die "install Python 3.11 or later with its venv module (Debian: python3-venv)."
    say "installing python3-venv"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
    find_python || die "the system's Python is older than 3.11: install a later one with its venv module."
  fi
  say "making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv
fi
say "installing requirements.lock (up to a minute)"
rm -f .venv/.stamp
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "$stamp" >.venv/.stamp
say ".venv is ready"
