"""The broker that leads queues like theirs is killed: do the queues outlive it, and do the others carry everybody?

The queues fill up meanwhile and nobody consumes: a mirror that does not catch up by itself stays behind for all to see.
Where no queue of theirs can have a stand-in a quorum queue of ours is loaded: whether the others carry everybody is asked of
the brokers and balancers, whatever the queues are; whether *their* queues outlive their home is then not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from plays.theirs import Queue, fleeting_queues, home_of_most, stand_ins, their_queues, why_none, without_stand_in
from pytest_rmqha import clock
from pytest_rmqha.errors import BudgetSpent, HarnessError, InvariantNotUpheld, NoVerdict
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.replicas import Replicas
from pytest_rmqha.waiting import Budget, await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

T = TypeVar("T")
RATE, RATE_OF_ALL, CROWD = 60, 240, 24
LED_WITHIN = seconds(15)
CROWD_WITHIN = seconds(15)
SYNCED_WITHIN = seconds(30)


@dataclass(frozen=True)
class Killed:
    """Stand-ins by name; ``why_none`` if there is none, ``untried``: queues of theirs of which there is none.

    ``led_after``: seconds from the kill until another node led the queue, None if none ever did.

    ``behind``: replicas that were not there or not in sync ``SYNCED_WITHIN`` after the return. ``crowd``: new connections
    that were served while the broker was dead, of ``CROWD``. ``served_again``: whether every publisher got confirms then.
    """

    history: History
    queues: Mapping[str, Queue]
    untried: tuple[Queue, ...]
    why_none: str
    victim: str
    led_after: Mapping[str, float | None]
    behind: Mapping[str, str]
    crowd: int
    served_again: bool


def the_home_of_queues_like_theirs_is_killed(stage: Stage) -> Killed:
    theirs = their_queues(stage.cluster)
    victim = home_of_most(theirs, stage.cluster.nodes)
    queues = stand_ins(stage, theirs, home=victim)
    loaded = tuple(queues) or (stage.quorum("ours.load", home=victim),)
    rate = min(RATE, RATE_OF_ALL // len(loaded))
    workload = stage.workload(*loaded, rate=rate)
    workload.prepare()
    for queue in loaded:
        workload.wire.ask("publish", stream=workload.stream_of(queue), queue=queue, rate=rate, window=500)
    workload.await_progress(within=seconds(20), deliveries=False)

    at_first = {name: stage.cluster.replicas(name) for name in loaded}
    if moved := {name: seen.leader for name, seen in at_first.items() if seen.leader != victim.name}:
        raise NoVerdict(
            f"nothing was tried: {victim} is not the home of its stand-ins, these are led elsewhere: {moved}"
        )
    before = {name: len(at_first[name].in_sync) for name in queues}
    with stage.chaos.inject(killed(stage.cluster, victim)):
        led = _led_by_another(stage, tuple(queues), victim.name)
        for number in range(CROWD):
            workload.wire.ask("idle", role=f"crowd.{number}")
        served_again = _progress(workload)
        crowd = _last(lambda: _connected(workload), lambda n: n == CROWD, CROWD_WITHIN)
    behind = _last(lambda: _behind(stage, before), lambda left: not left, SYNCED_WITHIN)
    for queue in loaded:
        workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    return Killed(
        workload.collect(),
        queues,
        without_stand_in(theirs, tuple(queues.values())),
        "" if queues else why_none(theirs, fleeting_queues(stage.cluster)),
        str(victim),
        led,
        behind,
        crowd,
        served_again,
    )


def _led_by_another(stage: Stage, queues: tuple[str, ...], victim: str) -> Mapping[str, float | None]:
    struck = max(e.at for e in stage.events if e.kind == "fault.injected")
    led: dict[str, float] = {}

    def ask() -> dict[str, float]:
        via = stage.cluster.any_answering(excluded=(stage.cluster.node(victim),))
        alive = via.running_peers()
        for queue in queues:
            seen = stage.cluster.replicas(queue, via)
            if seen.leader in alive and seen.leader != victim and seen.state == "running":
                led.setdefault(queue, clock.now() - struck)
        return led

    _last(ask, lambda found: len(found) == len(queues), LED_WITHIN, otherwise=led)
    return {queue: led.get(queue) for queue in queues}


def _behind(stage: Stage, before: Mapping[str, int]) -> dict[str, str]:
    """``before``: queue -> replicas in sync at first. One that is not listed again is behind, too."""
    found = {}
    for name, had in before.items():
        seen: Replicas = stage.cluster.replicas(name)
        if late := seen.members - seen.in_sync:
            found[name] = f"not in sync on {', '.join(sorted(late))}"
        elif len(seen.in_sync) < had:
            found[name] = f"has {len(seen.in_sync)} replicas of the {had} that it had"
    return found


def _connected(workload: Workload) -> int:
    roles = workload.wire.ask("progress", within=10)["roles"]
    return sum(bool(role["connected"]) for name, role in roles.items() if name.startswith("crowd."))


def _progress(workload: Workload) -> bool:
    try:
        workload.await_progress(within=seconds(15), deliveries=False)
    except (InvariantNotUpheld, NoVerdict):
        return False
    return True


def _last(ask: Callable[[], T], matches: Callable[[T], bool], within: Budget, otherwise: T | None = None) -> T:
    """What matched, or what is so when time is over: the test judges it."""
    try:
        return await_match(ask, matches, what="what is promised", within=within, ignore=(HarnessError, KeyError))
    except BudgetSpent:
        return ask() if otherwise is None else otherwise
