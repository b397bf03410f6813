"""What dead runs left on the engine: found by label, never by name, and only where the run's owner is provably dead."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors

RUN = "rmqha.run"
KEPT = "rmqha.kept"
GRACE = 60.0


@dataclass(frozen=True)
class LeftRun:
    """One run with something on the engine.

    ``alive``: its owner process still runs (or can't be known). ``kept``: it was left standing on purpose.
    """

    name: str
    alive: bool
    things: tuple[Any, ...]
    kept: bool = False

    @property
    def has_containers(self) -> bool:
        return any(hasattr(thing, "exec_run") for thing in self.things)


def owner_is_alive(labels: Mapping[str, str]) -> bool:
    """Dead only if that can be proved: another host's run counts as alive; no process outlives a reboot.

    ``rmqha.start`` (start_of the owner) tells exactly whether its number was given again. Without it the wall clock has
    to do, with a minute's grace.
    """
    if labels.get("rmqha.host") != socket.gethostname():
        return True
    boot = Path("/proc/sys/kernel/random/boot_id")
    if labels.get("rmqha.boot-id") and boot.exists() and boot.read_text().strip() != labels["rmqha.boot-id"]:
        return False
    if not labels.get("rmqha.pid", "").isdigit():
        return True
    pid = int(labels["rmqha.pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    state, began = _state_and_start(pid)
    if state in ("Z", "X"):
        return False
    if not began:
        return True
    if labels.get("rmqha.start"):
        return began == labels["rmqha.start"]
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    began_at = time.time() - uptime + int(began) / os.sysconf("SC_CLK_TCK")
    return began_at <= float(labels.get("rmqha.started", "inf")) + GRACE


def start_of(pid: int) -> str:
    """A process's start in clock ticks since boot (proc(5), field 22 of stat); empty where that can't be read.

    Not the time of ``/proc/PID``: that is the moment when somebody first looked there.
    """
    return _state_and_start(pid)[1]


def _state_and_start(pid: int) -> tuple[str, str]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""


def found() -> list[LeftRun]:
    """Runners first: one that is removed before the run inside it makes nothing anew."""
    client = docker.from_env(timeout=60)
    only: dict[str, Any] = {"label": RUN}
    things: dict[str, list[Any]] = {}
    labels: dict[str, dict[str, str]] = {}
    for thing in [
        *client.containers.list(all=True, ignore_removed=True, filters=only),
        *client.networks.list(filters=only),
        *client.volumes.list(filters=only),
    ]:
        its = dict(thing.labels if hasattr(thing, "labels") else (thing.attrs.get("Labels") or {}))
        things.setdefault(its[RUN], []).append(thing)
        labels[its[RUN]] = {**its, **labels.get(its[RUN], {})}
    return [
        LeftRun(run, owner_is_alive(labels[run]), tuple(things[run]), KEPT in labels[run])
        for run in sorted(things, key=lambda run: labels[run].get("rmqha.role") != "runner")
    ]


def remove(run: LeftRun, say: Callable[[str], None]) -> bool:
    """Containers first (with their anonymous volumes), then what they used. False if the engine kept something.

    A runner, which is not of the run, may still be in its network: it is taken out.
    """
    whole = True
    for thing in run.things:
        name = getattr(thing, "name", thing.id)
        try:
            if hasattr(thing, "exec_run"):
                thing.remove(force=True, v=True)
            else:
                _empty(thing)
                thing.remove()
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            whole = False
            say(f"can't remove {name} of run {run.name}: {error.explanation or error}")
            continue
        say(f"removed {name} of run {run.name}")
    return whole


def _empty(thing: Any) -> None:
    """A network without anybody in it, which else can't be removed."""
    if hasattr(thing, "disconnect"):
        thing.reload()
        for container in thing.attrs.get("Containers") or {}:
            thing.disconnect(container, force=True)


def sweep(say: Callable[[str], None]) -> int:
    """Remove what runs with a dead owner left, kept ones excepted; returns how many runs that were."""
    dead = [run for run in found() if not run.alive and not run.kept]
    for run in dead:
        remove(run, say)
    return len(dead)
