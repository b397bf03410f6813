"""Each balancer has its turn: the holder's host dies, comes back, and then haproxy freezes on each that has the VIP.

All strikes are silent. A host that says goodbye, or a haproxy that is gone from the process table, would hide slow timers
and checks that ask the process table. Nobody consumes until the end: a session that hangs on a frozen haproxy would keep
its messages for a minute, which is another scenario's question (V4, V6).
"""

from __future__ import annotations

from dataclasses import dataclass

from plays.returning import LONGEST, due_within
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.checkers.vip import interruptions, stretches
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, NoVerdict
from pytest_rmqha.faults import vip as vip_faults
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import PROBER, History
from pytest_rmqha.workload.workload import Workload

TAKEN_WITHIN = seconds(10)
KEEPALIVED = "/etc/keepalived/"


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
    """``interrupted_by_return``: changes of holder from the heir's take-over until ``watched`` seconds after the return.

    ``unseen``: why that was not counted; empty if it was.
    """

    history: History
    turns: tuple[Turn, ...]
    interrupted_by_return: int
    watched: float
    unseen: str


def each_balancer_has_its_turn(stage: Stage) -> Turns:
    vip = stage.vip
    watched = _due_within(stage)
    _await_what_is_due(stage, watched)
    queue = stage.quorum("quorum.turns", home=stage.cluster.nodes[0])
    workload = stage.workload(queue)
    workload.prepare()
    workload.wire.ask("publish", stream=workload.stream_of(queue), queue=queue, rate=workload.rate, window=500)
    workload.wire.ask("probe", role=PROBER, every=0.5, timeout=5)
    workload.await_progress(within=seconds(20), deliveries=False)

    first = vip.holder()
    heir = vip.other(first)
    turns = [_turn(stage, workload, vip_faults.killed(first, vip), "host killed", first, heir)]
    interrupted, unseen = _interrupted_by_return(stage, turns[0], watched)
    for _ in stage.balancers:  # each has a check of its own
        holder = vip.holder()
        frozen = vip_faults.haproxy_frozen(holder, vip)
        turns.append(_turn(stage, workload, frozen, "haproxy frozen", holder, vip.other(holder)))

    workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    return Turns(workload.collect(), tuple(turns), interrupted, watched, unseen)


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


def _await_what_is_due(stage: Stage, within: float) -> None:
    """A balancer that came back just now may still be about to preempt: its return is not the one that is looked at."""
    if within > LONGEST:
        return
    mine = {balancer.service for balancer in stage.balancers}
    events = stage.timeline.events
    came = [e.at for e in events if e.kind == "fault.gone" and mine & set(e.data["targets"])]
    built = [e.at for e in events if e.kind == "note" and e.subject == "stack"] or [events[0].at]
    _await_end_of(stage, max(came + built), within)


def _interrupted_by_return(stage: Stage, turn: Turn, watched: float) -> tuple[int, str]:
    """(changes of holder since the heir was alone with it, why they were not counted)"""
    if turn.taken_after is None:
        return 0, "the VIP was not taken over, so nobody had anything to lose by a return"
    if watched > LONGEST:
        return 0, f"by keepalived's files a return may take {watched:g} s to be felt: at most {LONGEST:g} s are watched"
    _await_end_of(stage, clock.now(), watched)
    address = stage.vip.address
    struck = max(e.at for e in stage.events if e.kind == "fault.injected")
    held = stretches(stage.timeline.events, address, (struck, clock.now()))
    own = next((n for n, stretch in enumerate(held) if stretch.sole == turn.heir), len(held))
    if own == len(held) or (held[-1].sole is None and held[-1].unknown):
        return 0, f"who held {address} after the return was not seen: {[s.told(struck) for s in held]}"
    return interruptions(held[own:]), ""


def _await_end_of(stage: Stage, since: float, watched: float) -> None:
    until, settled = since + seconds(watched).seconds, "a return to settle"
    try:
        with stage.timeline.waiting(settled):
            await_match(clock.now, lambda at: at >= until, what=settled, within=seconds(watched), every=0.5)
    except BudgetSpent:
        raise NoVerdict("the return was not watched to its end") from None


def _due_within(stage: Stage) -> float:
    """Of all balancers: every file at keepalived's place, those that a keepalived.conf includes among them."""
    files = [file for balancer in stage.balancers for file in stage.stack.config_files[balancer.service]]
    return due_within(line for file in files if file.target.startswith(KEEPALIVED) for line in file.lines)
