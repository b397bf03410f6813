"""One direction of one pair of brokers swallowed: what the one says the other does not hear, while it is still heard itself."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from plays.partitions import served_again_after
from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent
from pytest_rmqha.faults.network import one_way_cut
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import Budget, await_match, seconds
from pytest_rmqha.workload.history import History


@dataclass(frozen=True)
class OneWay:
    """``swallowed``: link -> what stands on each of its proxies. Times in seconds after the cut, ``served_again_after`` after healing."""

    history: History
    speaker: str
    listener: str
    third: str
    swallowed: Mapping[str, tuple[str, ...]]
    noticed_after: float
    paused: frozenset[str]
    served_again_after: float


def what_one_broker_says_to_another_is_swallowed(stage: Stage) -> OneWay:
    speaker, listener, third = stage.cluster.nodes
    workload = stage.workload(stage.mirrored("ha.load", home=third), stage.quorum("quorum.load", home=third))

    with workload.running():
        with stage.chaos.inject(one_way_cut(stage.cluster, stage.links, speaker, listener)):
            cut_at = next(e.at for e in stage.events if e.kind == "fault.injected")
            swallowed = {
                str(link): tuple(toxic for proxy in link.proxies for toxic in link.server.toxics(proxy))
                for link in stage.links.between(speaker, listener)
            }
            paused = _await_paused(stage, 1, seconds(25))
            noticed_after = clock.now() - cut_at
            with contextlib.suppress(BudgetSpent):
                paused = _await_paused(stage, 2, seconds(5))
        healed = max(e.at for e in stage.events if e.kind == "fault.healed")
        workload.await_progress(within=seconds(30))
    served = served_again_after(workload.history, healed)
    names = (str(speaker), str(listener), str(third))
    return OneWay(workload.history, *names, swallowed, noticed_after, paused, served)


def _await_paused(stage: Stage, least: int, within: Budget) -> frozenset[str]:
    """Brokers that refuse clients, at least so many: pause_minority closes every listener."""
    return await_match(
        lambda: frozenset(str(n) for n in stage.cluster.nodes if not _takes_clients(n)),
        lambda paused: len(paused) >= least,
        what=f"{least} of the brokers paused",
        within=within,
    )


def _takes_clients(node: Node) -> bool:
    try:
        socket.create_connection((node.address, 5672), timeout=1).close()
    except OSError:
        return False
    return True
