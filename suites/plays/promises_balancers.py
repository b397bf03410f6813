"""Each balancer has its turn: the holder's host dies, comes back, and then haproxy freezes on the one that took over.

Both strikes are silent. A host that says goodbye, or a haproxy that is gone from the process table, would hide slow timers
and checks that ask the process table. Nobody consumes until the end: a session that hangs on a frozen haproxy would keep
its messages for a minute, which is another scenario's question (V4, V6).
"""

from __future__ import annotations

import re
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
WATCHED, LONGEST_DELAY = seconds(12), 60.0
"""After a host is back: three advertisements of 2 s, the skew, a script's first answers; and a stated ``preempt_delay`` more."""
PREEMPT_DELAY = re.compile(r"^\s*preempt_delay\s+(\d+(?:\.\d+)?)", re.MULTILINE)


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
    delay = _preempt_delay(stage)
    if delay > LONGEST_DELAY:
        raise NoVerdict(f"preempt_delay {delay:g}: a return is watched for {LONGEST_DELAY:g} s at most")
    watched = seconds(WATCHED.stated + delay)
    until = clock.now() + watched.seconds
    try:
        await_match(clock.now, lambda at: at >= until, what="the return to settle", within=watched, every=0.5)
    except BudgetSpent:
        raise NoVerdict("the return was not watched to its end") from None
    address = stage.vip.address
    held = stretches(stage.timeline.events, address, (stage.started, clock.now()))
    own = next((n for n, stretch in enumerate(held) if stretch.sole == str(heir)), len(held))
    if own == len(held) or (held[-1].sole is None and held[-1].unknown):
        raise NoVerdict(
            f"who held {address} after the return was not seen: {[stretch.told(stage.started) for stretch in held]}"
        )
    return interruptions(held[own:])


def _preempt_delay(stage: Stage) -> float:
    """The longest that any balancer's file states: how long to look, not what is promised."""
    texts = [
        "\n".join(f.lines)
        for b in stage.balancers
        for f in stage.stack.config_files[b.service]
        if f.name == "keepalived.conf"
    ]
    return max((float(found) for text in texts for found in PREEMPT_DELAY.findall(text)), default=0.0)
