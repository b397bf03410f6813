"""What dead runs left on the engine: found by label, never by name, and only where the run's owner is provably dead."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors

RUN = "rmqha.run"


@dataclass(frozen=True)
class LeftRun:
    """One run with something on the engine. ``alive``: its owner process still runs (or can't be known)."""

    name: str
    alive: bool
    things: tuple[Any, ...]


def owner_is_alive(labels: dict[str, str]) -> bool:
    """Another host's run counts as alive; after a reboot of this one no process of before is."""
    if labels.get("rmqha.host") != socket.gethostname():
        return True
    boot = Path("/proc/sys/kernel/random/boot_id")
    if labels.get("rmqha.boot-id") and boot.exists() and boot.read_text().strip() != labels["rmqha.boot-id"]:
        return False
    try:
        os.kill(int(labels["rmqha.pid"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    except PermissionError:
        return True
    return _started_before(int(labels["rmqha.pid"]), float(labels.get("rmqha.started", "inf")))


def _started_before(pid: int, moment: float) -> bool:
    """A process that began after the run is not its owner: the number was given again."""
    try:
        return Path(f"/proc/{pid}").stat().st_ctime <= moment + 2
    except OSError:
        return False


def found() -> list[LeftRun]:
    client = docker.from_env(timeout=60)
    only: dict[str, Any] = {"label": RUN}
    things: dict[str, list[Any]] = {}
    labels: dict[str, dict[str, str]] = {}
    for thing in [
        *client.containers.list(all=True, filters=only),
        *client.networks.list(filters=only),
        *client.volumes.list(filters=only),
    ]:
        its = dict(thing.labels if hasattr(thing, "labels") else (thing.attrs.get("Labels") or {}))
        things.setdefault(its[RUN], []).append(thing)
        labels[its[RUN]] = {**its, **labels.get(its[RUN], {})}
    return [LeftRun(run, owner_is_alive(labels[run]), tuple(of)) for run, of in things.items()]


def remove(run: LeftRun, say: Callable[[str], None]) -> None:
    """Containers first (with their anonymous volumes), then what they used."""
    for thing in run.things:
        name = getattr(thing, "name", thing.id)
        try:
            if hasattr(thing, "exec_run"):
                thing.remove(force=True, v=True)
            else:
                thing.remove()
        except docker.errors.NotFound:
            continue
        say(f"removed {name} of run {run.name}")


def sweep(say: Callable[[str], None]) -> int:
    """Remove what runs with a dead owner left; returns how many runs that were."""
    dead = [run for run in found() if not run.alive]
    for run in dead:
        remove(run, say)
    return len(dead)
