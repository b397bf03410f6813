"""One program of the host that holds the VIP dies or freezes, while everything else on that host lives on."""

from __future__ import annotations

from dataclasses import dataclass

from plays.balancers import taken_over
from plays.quick_heartbeats import load_with_quick_heartbeats
from plays.two_holders import TwoHolders, two_balancers_hold_the_vip
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.checkers.vip import interruptions, stretches
from pytest_rmqha.faults.vip import haproxy_frozen, keepalived_killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.timeline import Event
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

BLACK_HOLE = 12.0  # longer than any promise about a balancer lets clients wait


@dataclass(frozen=True)
class Frozen:
    """``moved_after``: seconds from the freeze until the other balancer alone held the VIP; ``window``: of the play."""

    history: History
    moved_after: float
    interruptions: int
    events: tuple[Event, ...]
    window: tuple[float, float]


@dataclass(frozen=True)
class BlackHole:
    """``holders``: all that were seen while haproxy was frozen; ``process_was_there``: what the weak check asks for."""

    history: History
    frozen: str
    holders: frozenset[str]
    process_was_there: bool
    longest_wait: float


def keepalived_alone_is_killed(stage: Stage) -> TwoHolders:
    return two_balancers_hold_the_vip(stage, load_with_quick_heartbeats(stage), keepalived_killed)


def haproxy_freezes_on_the_holder(stage: Stage) -> Frozen:
    holder = stage.vip.holder()
    other = stage.vip.other(holder)
    workload = load_with_quick_heartbeats(stage)

    with workload.running():
        with stage.chaos.inject(haproxy_frozen(holder, stage.vip)):
            if taken_over(stage, other):
                workload.await_progress(within=seconds(15))
        workload.await_progress(within=seconds(15))
    window = (stage.started, clock.now())
    everything = tuple(stage.timeline.events)
    moves = interruptions(stretches(everything, stage.vip.address, window))
    return Frozen(workload.history, _taken(stage, other) - _struck(stage), moves, everything, window)


def haproxy_freezes_behind_a_check_of_the_process_table(stage: Stage) -> BlackHole:
    holder = stage.vip.holder()
    workload = load_with_quick_heartbeats(stage)

    with workload.running():
        with stage.chaos.inject(haproxy_frozen(holder, stage.vip)):
            holders = _await_nobody_served(stage, workload)
            there = _is_in_the_process_table(holder)
        workload.await_progress(within=seconds(30))
    waits = [gap.seconds for gap in workload.history.gaps if gap.kind == "publish"]
    return BlackHole(workload.history, str(holder), holders, there, max(waits, default=0.0))


def _await_nobody_served(stage: Stage, workload: Workload) -> frozenset[str]:
    """Look until no confirm has come for ``BLACK_HOLE`` seconds; everybody who held the VIP meanwhile."""
    holders: set[str] = set()
    looked: list[tuple[float, int]] = []

    def ask() -> float:
        holders.update(map(str, stage.vip.holders()))
        confirmed = sum(count for count, _ in workload.progress().values())
        if not looked or looked[-1][1] != confirmed:
            looked.append((clock.now(), confirmed))
        return clock.now() - looked[-1][0]

    await_match(
        ask,
        lambda silent: silent >= BLACK_HOLE,
        what=f"{BLACK_HOLE:g} s without a confirm",
        within=seconds(3 * BLACK_HOLE),
        every=0.5,
    )
    return frozenset(holders)


def _is_in_the_process_table(holder: Balancer) -> bool:
    """What ``killall -0`` asks: does the process exist, whatever it does?"""
    return holder.containers.exec(holder.service, "killall", "-0", "haproxy").code == 0


def _struck(stage: Stage) -> float:
    return next(e.at for e in stage.events if e.kind == "fault.injected")


def _taken(stage: Stage, balancer: Balancer) -> float:
    """When this balancer was first seen holding the VIP after the fault; infinite if never."""
    mine = (e for e in stage.events if e.kind == "vip" and e.data.get("member") == str(balancer) and e.data.get("held"))
    return min((e.at for e in mine if e.at > _struck(stage)), default=float("inf"))
