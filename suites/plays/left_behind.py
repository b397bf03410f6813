"""The VIP leaves a haproxy that lives on: the sessions through it are nobody's any more, and the brokers do not know that yet."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plays.balancers import taken_over
from plays.quick_heartbeats import HEARTBEAT, load_with_quick_heartbeats
from pytest_rmqha import clock
from pytest_rmqha.errors import BudgetSpent, ToolFailed
from pytest_rmqha.faults.vip import keepalived_stopped
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import Budget, await_match, seconds
from pytest_rmqha.workload.history import History

COUNTED = seconds(10)  # the brokers' statistics lag by 5 s
SETTLED = 10.5  # seconds: two intervals of the brokers' statistics
GONE = seconds(
    3 * HEARTBEAT + 10 + SETTLED
)  # two missed heartbeats, the look that finds them missed, the lag, and that it stays so


@dataclass(frozen=True)
class LeftBehind:
    """``everybody``: consumers of the load. Subscriptions as the brokers count them: ``before`` the fault, ``most`` after it,
    ``at_last`` when for 10.5 s no more than before were left or ``GONE`` was over.

    ``again``: consumers that came back after the fault. ``gone_after``: seconds from the fault until the count was what it
    had been; infinite if it never was.
    """

    history: History
    everybody: int
    before: int
    again: tuple[str, ...]
    most: int
    at_last: int
    gone_after: float


def the_vip_leaves_consumers_behind(stage: Stage) -> LeftBehind:
    holder = stage.vip.holder()
    workload = load_with_quick_heartbeats(stage)

    with workload.running():
        everybody = len(workload.queues) + 1  # each queue's consumer, and the one that holds
        before = _counted(stage, workload.queues, more_than=everybody - 1)
        with stage.chaos.inject(keepalived_stopped(holder, stage.vip)):
            struck = next(e.at for e in stage.events if e.kind == "fault.injected")
            if taken_over(stage, stage.vip.other(holder)):
                workload.await_progress(within=seconds(15))
            most = _counted(stage, workload.queues, more_than=before)
            at_last = _settled(stage, workload.queues, before)
            gone_after = clock.now() - struck if at_last == before else math.inf
        workload.await_progress(within=seconds(15))
    back = {e.subject for e in stage.events if e.kind == "client" and e.text == "connected" and e.at > struck}
    again = tuple(sorted(name for name in back if name.startswith("c.")))
    return LeftBehind(workload.history, everybody, before, again, most, at_last, gone_after)


def _subscribed(stage: Stage, queues: Sequence[str]) -> int:
    """Zombies included. A queue of which there are no statistics yet counts as one without consumers."""
    api = stage.cluster.any_answering().api
    return sum(int(api.queue(stage.cluster.vhost, queue).get("consumers", 0)) for queue in queues)


def _counted(stage: Stage, queues: Sequence[str], more_than: int) -> int:
    """Subscriptions once there are more than that, or the last count within ``COUNTED``."""
    return _last(stage, queues, lambda count: count > more_than, COUNTED)


def _settled(stage: Stage, queues: Sequence[str], wanted: int) -> int:
    """The count that every look of ``SETTLED`` has told, or the last one within ``GONE``: an old row tells what was before."""
    since: list[float] = []

    def has_settled(count: int) -> bool:
        if count != wanted:
            since.clear()
        elif not since:
            since.append(clock.now())
        return bool(since) and clock.now() - since[0] >= SETTLED

    return _last(stage, queues, has_settled, GONE)


def _last(stage: Stage, queues: Sequence[str], wanted: Callable[[int], bool], within: Budget) -> int:
    """A count that is wanted, or the last one in time; 0 where no broker told any."""
    seen = [0]

    def look() -> int:
        seen.append(_subscribed(stage, queues))
        return seen[-1]

    with contextlib.suppress(BudgetSpent):
        await_match(
            look, wanted, what="subscriptions in the API", within=within, every=0.5, ignore=(ToolFailed, KeyError)
        )
    return seen[-1]
