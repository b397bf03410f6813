"""The balancer with the higher priority dies and comes back: who holds the VIP then, and how often clients paid for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plays.quick_heartbeats import load_with_quick_heartbeats
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.checkers.vip import interruptions, stretches
from pytest_rmqha.errors import InvariantNotUpheld, NoVerdict, ToolFailed
from pytest_rmqha.faults.vip import keepalived_stopped, killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.timeline import Event
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History

CONFIGURATION = "/etc/keepalived/keepalived.conf"
PRIORITY = re.compile(r"^\s*priority\s+(\d+)", re.MULTILINE)
SETTLED = 6.0  # a balancer that preempts does so 3.4 s after it is BACKUP (measured: 3 × advert_int and the skew time)


@dataclass(frozen=True)
class Return:
    """``returned_after``: seconds from the boot of the failed master until it held the VIP again; None if it did not.

    ``interruptions`` count the failure and the return. ``settings``: the words of its configuration that decide.
    """

    history: History
    master: str
    holder_at_the_end: str
    interruptions: int
    returned_after: float | None
    settings: frozenset[str]
    events: tuple[Event, ...]
    window: tuple[float, float]


def the_failed_master_returns_and_waits_its_turn(stage: Stage) -> Return:
    return _return(stage, takes_over=False)


def the_failed_master_returns_and_takes_over(stage: Stage) -> Return:
    return _return(stage, takes_over=True)


def _return(stage: Stage, *, takes_over: bool) -> Return:
    master = _of_higher_priority(stage)
    other = stage.vip.other(master)
    _let_it_hold_the_vip(stage, master)
    workload = load_with_quick_heartbeats(stage)
    began = clock.now()

    with workload.running():
        with stage.chaos.inject(killed(master, stage.vip)):
            stage.vip.await_holder(other, within=seconds(15))
            workload.await_progress(within=seconds(15))
        with stage.timeline.waiting(f"the VIP {f'back at {master}' if takes_over else f'settled at {other}'}"):
            if takes_over:
                stage.vip.await_holder(master, within=seconds(40))
            else:
                _await_settled(stage, other)
        workload.await_progress(within=seconds(15))
    window = (began, clock.now())
    everything = tuple(stage.timeline.events)
    moves = interruptions(stretches(everything, stage.vip.address, window))
    return Return(
        workload.history,
        str(master),
        str(stage.vip.holder()),
        moves,
        _returned_after(stage, master),
        _settings(master),
        everything,
        window,
    )


def _of_higher_priority(stage: Stage) -> Balancer:
    found = {balancer: int(match[1]) for balancer, match in _priorities(stage) if match}
    if len(found) < 2 or len(set(found.values())) < 2:
        raise NoVerdict(f"no balancer has a higher priority than the other: {[*found.values()]}")
    return max(found, key=lambda balancer: found[balancer])


def _priorities(stage: Stage) -> list[tuple[Balancer, re.Match[str] | None]]:
    return [(balancer, PRIORITY.search(_configuration(balancer))) for balancer in stage.balancers]


def _configuration(balancer: Balancer) -> str:
    return balancer.containers.must(balancer.service, "cat", CONFIGURATION)


def _settings(balancer: Balancer) -> frozenset[str]:
    lines = (line.strip() for line in _configuration(balancer).splitlines())
    return frozenset(line for line in lines if line.startswith(("nopreempt", "preempt_delay")))


def _let_it_hold_the_vip(stage: Stage, master: Balancer) -> None:
    """Under ``nopreempt`` whoever took the VIP last has it: take it from the other one, which comes back as backup."""
    holder = stage.vip.holder()
    if holder != master:
        with stage.chaos.inject(keepalived_stopped(holder, stage.vip)):
            stage.vip.await_holder(master, within=seconds(15))


def _await_settled(stage: Stage, holder: Balancer) -> None:
    """Both programs of the returned host run and every look of 6 s has seen the same holder."""
    since: list[float] = []

    def ask() -> float:
        if stage.vip.holders() != (holder,):
            since.clear()
            return 0.0
        since.append(clock.now())
        return since[-1] - since[0]

    await_match(
        ask,
        lambda length: length >= SETTLED,
        what=f"{holder} alone holding the VIP for {SETTLED:g} s",
        within=seconds(30),
        every=0.3,
        ignore=(ToolFailed,),
        error=InvariantNotUpheld,
    )


def _returned_after(stage: Stage, master: Balancer) -> float | None:
    booted = max(e.at for e in stage.events if e.kind == "fault.healed")
    mine = (e for e in stage.events if e.kind == "vip" and e.data.get("member") == str(master) and e.data.get("held"))
    taken = [e.at for e in mine if e.at > booted]
    return min(taken) - booted if taken else None
