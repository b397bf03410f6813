"""The container that this process itself runs in, if ``rmqha run`` made it: its way into a run's network, and its owner.

Outside of such a container nothing here does anything but say that this process owns its runs.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import docker.errors
from docker.models.networks import Network

from pytest_rmqha.adapters.engine import RUN_LABEL, TROUBLE, Engine
from pytest_rmqha.adapters.leftovers import start_of
from pytest_rmqha.errors import ToolFailed, UserInputError

NAME, OWNER = "RMQHA_RUNNER", "RMQHA_RUNNER_OWNER"
RUNNER_LABEL = "rmqha.runner"
"""On everything that a run inside a runner makes: the runner's name."""


def name() -> str | None:
    """The runner's name; None outside of one."""
    return os.environ.get(NAME) or None


def owner_labels() -> dict[str, str]:
    """The labels that say whose a run is: this process's, or those of the ``rmqha run`` outside that waits for it.

    A process number of this container means nothing on the host, and this container's name nothing to ``leftovers``: the
    run lives exactly as long as the process outside.
    """
    handed = os.environ.get(OWNER)
    if name() is None or not handed:
        return _this_process()
    return {**_read(handed), RUNNER_LABEL: str(name())}


def _read(handed: str) -> dict[str, str]:
    try:
        return {str(label): str(value) for label, value in json.loads(handed).items()}
    except (ValueError, AttributeError):
        raise UserInputError(
            f"environment {OWNER}", handed, "what 'rmqha run' sets", f"unset it together with {NAME}"
        ) from None


def _this_process() -> dict[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return {
        "rmqha.pid": str(os.getpid()),
        "rmqha.host": socket.gethostname(),
        "rmqha.boot-id": boot.read_text().strip() if boot.exists() else "",
        "rmqha.start": start_of(os.getpid()),
    }


def environment(runner: str, owner: Mapping[str, str]) -> dict[str, str]:
    """What a runner's process must find to know that it is in one."""
    return {NAME: runner, OWNER: json.dumps(dict(owner))}


def join(engine: Engine, address: str) -> None:
    """Connect this container to the run's network, which exists, at ``address``. Being in it already is fine."""
    own = name()
    if own is None:
        return
    try:
        own_id = _id_of(engine, own)
        network = _network(engine)
        if network is None:
            raise ToolFailed(f"the runner can't join the network of run {engine.run}: there is none")
        if own_id not in (network.attrs.get("Containers") or {}):
            network.connect(own_id, ipv4_address=address)
    except TROUBLE as error:
        raise ToolFailed(f"the runner can't join the network of run {engine.run} at {address}: {error}") from error


def _id_of(engine: Engine, own: str) -> str:
    try:
        return str(engine.client.containers.get(own).id)
    except docker.errors.NotFound:
        raise UserInputError(
            f"environment {NAME}",
            f"{own}, which the engine does not know",
            "the container that this process runs in, made by the engine that it asks",
            "start the run with 'rmqha run'; its --engine-socket must be that engine's own",
        ) from None


def leave(engine: Engine) -> None:
    """Out of the run's network, which could not be removed otherwise. Never raises: that removal fails then, and says why."""
    own = name()
    if own is None:
        return
    try:
        network = _network(engine)
        if network is not None:
            network.disconnect(own, force=True)
    except TROUBLE:
        pass


def _network(engine: Engine) -> Network | None:
    """The network with the run's label, with what is connected to it."""
    found = engine.client.networks.list(filters={"label": f"{RUN_LABEL}={engine.run}"})
    if not found:
        return None
    found[0].reload()
    return found[0]
