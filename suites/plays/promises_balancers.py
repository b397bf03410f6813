"""Each balancer has its turn: the holder's host dies, comes back, and then haproxy freezes on the one that took over.

Both strikes are silent. A host that says goodbye, or a haproxy that is gone from the process table, would hide slow timers
and checks that ask the process table. Nobody consumes until the end: a session that hangs on a frozen haproxy would keep
its messages for a minute, which is another scenario's question (V4, V6).
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.checkers.vip import interruptions, stretches
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, NoVerdict
from pytest_rmqha.faults import vip as vip_faults
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

TAKEN_WITHIN = seconds(10)
WATCHED = seconds(8)
"""After a return: three advertisements, the skew, and what a program needs to start."""


@dataclass(frozen=True)
class Turn:
    """``taken_after``: seconds from the strike until the heir alone held the VIP; None if it did not in ``TAKEN_WITHIN``.

    ``served``: whether the heir's clients were served then.
    """

    struck: str
    how: str
    heir: str
    taken_after: float | None
    served: bool


@dataclass(frozen=True)
class Turns:
    """``interrupted_by_return``: changes of holder after the heir had the VIP, until ``WATCHED`` after the return."""

    history: History
    turns: tuple[Turn, ...]
    interrupted_by_return: int


def each_balancer_has_its_turn(stage: Stage) -> Turns:
    vip = stage.vip
    queue = stage.quorum("quorum.turns", home=stage.cluster.nodes[0])
    workload = stage.workload(queue)
    workload.prepare()
    workload.wire.ask("publish", stream=workload.stream_of(queue), queue=queue, rate=workload.rate, window=500)
    workload.wire.ask("probe", role="prober", every=0.5, timeout=5)
    workload.await_progress(within=seconds(20), deliveries=False)

    first = vip.holder()
    heir = vip.other(first)
    turns = [_turn(stage, workload, vip_faults.killed(first, vip), "host killed", first, heir)]
    interrupted = _interrupted_by_return(stage, heir) if turns[0].taken_after is not None else 0
    holder = vip.holder()
    frozen = vip_faults.haproxy_frozen(holder, vip)
    turns.append(_turn(stage, workload, frozen, "haproxy frozen", holder, vip.other(holder)))

    workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    return Turns(workload.collect(), tuple(turns), interrupted)


def _turn(stage: Stage, workload: Workload, fault: Fault, how: str, struck: Balancer, heir: Balancer) -> Turn:
    with stage.chaos.inject(fault):
        began = max(e.at for e in stage.events if e.kind == "fault.injected")
        try:
            stage.vip.await_holder(heir, within=TAKEN_WITHIN)
            taken: float | None = clock.now() - began
        except InvariantNotUpheld:
            taken = None
        served = taken is not None and _served(workload)
    return Turn(str(struck), how, str(heir), taken, served)


def _served(workload: Workload) -> bool:
    try:
        workload.await_progress(within=seconds(10), deliveries=False)
    except (InvariantNotUpheld, NoVerdict):
        return False
    return True


def _interrupted_by_return(stage: Stage, heir: Balancer) -> int:
    """Watch until what would interrupt has had its time; then count from the moment that the heir was alone."""
    healed = max(e.at for e in stage.events if e.kind == "fault.healed")
    until = healed + WATCHED.seconds
    try:
        await_match(clock.now, lambda at: at >= until, what="the return to settle", within=WATCHED, every=0.5)
    except BudgetSpent:
        raise NoVerdict("the return was not watched to its end") from None
    address = stage.vip.address
    held = stretches(stage.timeline.events, address, (stage.started, clock.now()))
    own = next((n for n, stretch in enumerate(held) if stretch.sole == str(heir)), len(held))
    return interruptions(held[own:])
