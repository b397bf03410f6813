#!/usr/bin/env bash
# Makes .venv with the pinned versions of requirements.lock and this project in it; does nothing when that is there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'environment: %s\n' "$*"; }

python=""
for candidate in python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ] || ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing python3-venv"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
    python=${python:-python3}
  else
    echo "environment: install Python 3.11 or later with its venv module." >&2
    exit 1
  fi
fi

stamp=$(cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1)
if [ -x .venv/bin/pytest ] && [ "$(cat .venv/.stamp 2>/dev/null || true)" = "$stamp" ]; then
  say ".venv is up to date"
  exit 0
fi
say "making .venv from requirements.lock (about a minute)"
"$python" -m venv --clear .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "$stamp" > .venv/.stamp
say ".venv is ready"
