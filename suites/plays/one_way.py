"""One direction of one pair of brokers swallowed: what the one says the other does not hear, while it is still heard itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from plays.partitions import all_that_pause, refusing, served_again_after
from pytest_rmqha import clock
from pytest_rmqha.errors import BudgetSpent
from pytest_rmqha.faults.network import one_way_cut
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History

LOOKED_ON = seconds(6)
"""After the first pause: the other one of the pair follows within 5 s, and a third would be one too many."""


@dataclass(frozen=True)
class OneWay:
    """``swallowed``: link -> what stands on each of its proxies. Times in seconds after the cut, ``served_again_after`` after healing.

    ``noticed_after`` is infinite where nobody paused. ``paused``: who refused clients at any look until the cut was mended.
    """

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
            noticed_after = _await_noticed(stage, cut_at)
            paused = all_that_pause(stage, LOOKED_ON) if math.isfinite(noticed_after) else frozenset()
        healed = max(e.at for e in stage.events if e.kind == "fault.healed")
        workload.await_progress(within=seconds(30))
    served = served_again_after(workload.history, healed)
    names = (str(speaker), str(listener), str(third))
    return OneWay(workload.history, *names, swallowed, noticed_after, paused, served)


def _await_noticed(stage: Stage, cut_at: float) -> float:
    """Seconds from the cut until a broker refuses clients: pause_minority closes every listener. Infinite if none does."""
    try:
        await_match(lambda: refusing(stage), bool, what="a broker paused", within=seconds(30))
    except BudgetSpent:
        return math.inf
    return clock.now() - cut_at
