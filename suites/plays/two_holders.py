"""Two balancers hold the VIP at once, each sure that it is alone; then the fault is over, and clients must find the right one.

Where VRRP is slow (``advert_int 10``) the second holder comes after half a minute: the split is waited for, or there is no
recovery to look at. Nothing of the recovery is waited for as a condition: it is measured, and the tests judge it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.checkers.availability import gaps_under_load
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, NoVerdict
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.timeline import Event
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import Budget, await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

SPLIT_WITHIN = seconds(40)
ONE_AGAIN_WITHIN = seconds(15)
SERVED_AGAIN_WITHIN = seconds(60)


@dataclass(frozen=True)
class TwoHolders:
    """Names of the holders before the fault, while it lasted, and after it.

    ``recovery``: from the end of the heal to the end of the play, for the VIP's events. ``served_again_after``: seconds from
    the heal that a publisher stood still at most. ``neighbour_is_holder``: the load client's ARP cache names the holder.
    """

    history: History
    before: str
    during: frozenset[str]
    after: frozenset[str]
    served_again_after: float
    neighbour_is_holder: bool
    events: tuple[Event, ...]
    recovery: tuple[float, float]


def two_balancers_hold_the_vip(
    stage: Stage, workload: Workload, strike: Callable[[Balancer, Vip], Fault]
) -> TwoHolders:
    holder = stage.vip.holder()

    with workload.running():
        with stage.chaos.inject(strike(holder, stage.vip)):
            during = _holders(stage, 2, SPLIT_WITHIN)
            _served(workload, seconds(15))
        after = _holders(stage, 1, ONE_AGAIN_WITHIN)
        _served(workload, SERVED_AGAIN_WITHIN)
        neighbour = len(after) == 1 and _neighbour_is(stage, after[0])
    began, healed = _healed(stage)
    return TwoHolders(
        workload.history,
        str(holder),
        frozenset(map(str, during)),
        frozenset(map(str, after)),
        publishers_stood_still_after(workload.history, began),
        neighbour,
        tuple(stage.timeline.events),
        (healed, clock.now()),
    )


def publishers_stood_still_after(history: History, healed: float) -> float:
    """Seconds from there on. Consumers only listen, and learn of a move from a heartbeat: the oracle has a limit for them."""
    gaps = gaps_under_load(history, "publish")
    return max((gap.end - max(gap.start, healed) for gap in gaps if gap.end > healed), default=0.0)


def _holders(stage: Stage, count: int, within: Budget) -> tuple[Balancer, ...]:
    """As soon as there are so many; or else those that there are when time is over."""
    try:
        return stage.vip.await_holders(count, within=within)
    except InvariantNotUpheld:
        return stage.vip.holders()


def _served(workload: Workload, within: Budget) -> None:
    """Wait for progress. How long clients waited is in the history, so that none in time is no error here."""
    with contextlib.suppress(InvariantNotUpheld, NoVerdict):
        workload.await_progress(within=within)


def _healed(stage: Stage) -> tuple[float, float]:
    """When the last heal began and when it was done."""
    event = max((e for e in stage.events if e.kind == "fault.healed"), key=lambda e: e.at)
    return event.at, event.at + float(str(event.data.get("took", 0)))


def _neighbour_is(stage: Stage, holder: Balancer) -> bool:
    """Does the load client's own ARP cache name the holder's hardware address for the VIP?"""
    link = holder.containers.must(holder.service, "cat", "/sys/class/net/eth0/address").strip()

    def cached() -> str:
        return holder.containers.exec("rmqha-client", "ip", "neigh", "show", stage.vip.address).out

    try:
        await_match(
            cached,
            lambda text: link in text,
            what=f"{stage.vip.address} at {link} in the client's ARP cache",
            within=seconds(15),
            every=0.5,
        )
    except BudgetSpent:
        return False
    return True
