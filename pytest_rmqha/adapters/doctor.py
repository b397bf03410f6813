"""What a run needs of this machine and its engine: looks, each with what was seen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import docker
import docker.errors

MEMORY, DISK = 4.0, 5.0


def _engine() -> tuple[bool, str]:
    try:
        version = docker.from_env(timeout=10).version()
    except docker.errors.DockerException as error:
        return False, f"no answer ({str(error)[:120]})"
    api = tuple(int(part) for part in version["ApiVersion"].split("."))
    return api >= (1, 41), f"{version['Version']}, API {version['ApiVersion']}"


def _compose() -> tuple[bool, str]:
    try:
        done = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, type(error).__name__
    return done.returncode == 0, done.stdout.strip() or done.stderr.strip()[:120]


def _memory() -> tuple[bool, str]:
    try:
        total = int(docker.from_env(timeout=10).info()["MemTotal"]) / 2**30
    except docker.errors.DockerException:
        return False, "not known without an engine"
    return total >= MEMORY, f"{total:.1f} GiB on the engine's host, {MEMORY:.0f} needed"


def _disk() -> tuple[bool, str]:
    free = shutil.disk_usage("/").free / 2**30
    return free >= DISK, f"{free:.1f} GiB free, {DISK:.0f} needed"


CHECKS: tuple[tuple[str, Callable[[], tuple[bool, str]], str], ...] = (
    (
        "docker engine",
        _engine,
        "install and start Docker Engine 20.10 or later (as root on Debian: make engine), or join its group",
    ),
    ("compose plug-in", _compose, "install the compose v2 plug-in (as root on Debian: make engine)"),
    ("memory", _memory, "give the engine's host more memory"),
    ("disk", _disk, "free some space"),
)
