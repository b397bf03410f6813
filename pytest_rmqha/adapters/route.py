"""Whether this process reaches the containers of a run by their addresses. On Docker Desktop and remote engines it can't."""

from __future__ import annotations

import socket
from typing import Protocol

from pytest_rmqha.adapters import own_container
from pytest_rmqha.errors import ToolFailed, UserInputError
from pytest_rmqha.waiting import Budget, await_match, seconds

TRY = 1.0
WITHIN = seconds(5)


class HasStates(Protocol):
    def state(self, service: str) -> str: ...


def refuse_unreachable(engine: HasStates, service: str, address: str, port: int, within: Budget = WITHIN) -> None:
    """UserInputError when nothing of a running container answers at its address; a closed port is an answer.

    Says nothing where the container does not run: whoever waits for it does. In a runner, which is in the network, it is a
    ToolFailed. Limit: a stranger who answers for that address (a VPN that takes every connection) is taken for ours.
    """
    try:
        await_match(
            lambda: answers(address, port),
            bool,
            what=f"an answer from {service} at {address}",
            within=within,
            every=0.1,
            error=ToolFailed,
        )
    except ToolFailed as silence:
        if engine.state(service) != "running":
            return
        if own_container.name() is not None:
            raise ToolFailed(
                f"{service} runs and the runner, which is in its network, can't reach {address}"
            ) from silence
        raise UserInputError(
            "network of the run",
            f"no way from here to {address}, where {service} runs",
            "container addresses that this process reaches: with an engine on this very Linux host it does, with "
            "Docker Desktop or a remote engine it can't",
            "run pytest inside that network: 'rmqha run -- ' and the same arguments",
        ) from None


def answers(address: str, port: int) -> bool:
    """A connection, or the refusal of one: either comes from the machine at that address."""
    try:
        socket.create_connection((address, port), timeout=TRY).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True
