"""Partitions under load: one broker cut off cleanly, one silently with a publisher pinned to it, one pair cut."""

from __future__ import annotations

import dataclasses
import math
import socket
from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.checkers.availability import gaps_under_load
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, HarnessError
from pytest_rmqha.faults.network import isolated, pair_cut
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import Budget, await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

PATIENT = 12.0
"""Seconds that a publisher waits for a confirm where a peer may be missed for 1.25 tick times (10 s) unnoticed."""
LOOKED_ON = seconds(3)
"""After both of a cut pair have paused: a broker looks once a second whether it is in a minority, and a third would be one too many."""


@dataclass(frozen=True)
class Isolation:
    """Times in seconds after the cut; ``attempted_while_cut`` counts the pinned publisher's messages before the pause."""

    history: History
    paused_after: float
    others_answered: bool
    attempted_while_cut: int = 0
    confirmed_while_cut: int = 0

    @property
    def through_the_vip(self) -> History:
        """The history without the waits of the pinned publisher, whose one address is the isolated broker's, and its consumer."""
        gaps = tuple(gap for gap in self.history.gaps if gap.role not in ("pinned", "c.pinned"))
        connects = tuple(connect for connect in self.history.connects if connect.role != "pinned")
        return dataclasses.replace(self.history, gaps=gaps, connects=connects)


@dataclass(frozen=True)
class PartialPartition:
    history: History
    cut: tuple[str, str]
    paused: frozenset[str]
    served_again_after: float


def a_broker_is_cut_off_cleanly(stage: Stage) -> Isolation:
    victim, *others = stage.cluster.nodes
    workload = _load_led_by(victim, stage)

    with workload.running(), stage.chaos.inject(isolated(stage.cluster, stage.links, victim)):
        paused_after = await_pause(stage, victim)
        workload.await_progress(within=seconds(15))
        answered = all(n.answers() for n in others)
    return Isolation(workload.history, paused_after, answered)


def a_broker_is_cut_off_silently(stage: Stage) -> Isolation:
    """The load waits for its confirms until the cut is noticed, 6 to 10 s after it: no channel is opened on the isolated broker.

    What new channels on it are told is a trap of its own (``plays.fresh_channels``), and would be met here by chance only: when
    the balancers deal a publisher that gave up to the isolated broker, and its mirror is promoted in its last tenth of a second.
    """
    keeper, victim, third = stage.cluster.nodes
    workload = _load_led_by(keeper, stage, patience=PATIENT)
    pinned_queue = stage.mirrored("ha.pinned", home=victim)

    with workload.running():
        pin_a_publisher(workload, "pinned", pinned_queue, victim)
        with stage.chaos.inject(isolated(stage.cluster, stage.links, victim, silently=True)):
            attempted, confirmed = _attempted(workload), workload.progress()["pinned"][0]
            paused_after = await_pause(stage, victim)
            attempted = _attempted(workload) - attempted
            confirmed = workload.progress()["pinned"][0] - confirmed
            if math.isfinite(paused_after):
                _await_drained(stage, victim)
            workload.await_progress(within=seconds(25))
            answered = all(n.answers() for n in (keeper, third))
        workload.wire.ask("stop", stream="pinned", within=22)
        workload.wire.ask("consume", role="c.pinned", queue=pinned_queue)
    return Isolation(workload.history, paused_after, answered, attempted, confirmed)


def the_link_of_a_pair_is_cut(stage: Stage) -> PartialPartition:
    a, b, c = stage.cluster.nodes
    workload = _load_led_by(c, stage)

    with workload.running():
        with stage.chaos.inject(pair_cut(stage.cluster, stage.links, a, b)):
            paused = _paused(stage, at_least=2) | all_that_pause(stage, LOOKED_ON)
        healed = max(e.at for e in stage.events if e.kind == "fault.healed")
        workload.await_progress(within=seconds(30))
    served = served_again_after(workload.history, healed)
    return PartialPartition(workload.history, (str(a), str(b)), paused, served)


def _paused(stage: Stage, at_least: int) -> frozenset[str]:
    """Who refuses clients, once so many do, or after 15 s; whether it is enough is the scenario's verdict."""
    try:
        return await_match(
            lambda: refusing(stage),
            lambda nodes: len(nodes) >= at_least,
            what=f"{at_least} brokers paused",
            within=seconds(15),
        )
    except BudgetSpent:
        return refusing(stage)


def all_that_pause(stage: Stage, within: Budget) -> frozenset[str]:
    """Whoever refuses clients at any look in that time, the last one just before the cut is mended."""
    paused: set[str] = set()
    until = clock.now() + within.seconds

    def look() -> float:
        began = clock.now()
        paused.update(refusing(stage))
        return began

    await_match(look, lambda at: at >= until, what="what the cut leads to", within=seconds(within.seconds + 30))
    return frozenset(paused)


def refusing(stage: Stage) -> frozenset[str]:
    """Brokers that take no clients: pause_minority closes every listener, and the kernel answers for one that is slow."""
    return frozenset(str(node) for node in stage.cluster.nodes if not _listens(node))


def served_again_after(history: History, healed: float) -> float:
    """The longest that a publisher or consumer stood still after the heal, counted from there on; seconds, 0 if none did.

    It may begin later than the heal: a broker that comes back can interrupt those that were served meanwhile.
    """
    gaps = gaps_under_load(history, "publish") + gaps_under_load(history, "deliver")
    return max((gap.end - max(gap.start, healed) for gap in gaps if gap.end > healed), default=0.0)


def _load_led_by(home: Node, stage: Stage, **options: float) -> Workload:
    return stage.workload(stage.mirrored("ha.load", home=home), stage.quorum("quorum.load", home=home), **options)


def await_pause(stage: Stage, node: Node) -> float:
    """Seconds from the cut until the node's listeners are closed. Infinite: it went on alone, and what that costs is seen."""
    cut_at = next(e.at for e in stage.events if e.kind == "fault.injected")
    try:
        await_match(
            lambda: _listens(node), lambda open_: not open_, what=f"{node} paused", within=seconds(30), every=0.1
        )
    except BudgetSpent:
        return math.inf
    return clock.now() - cut_at


def _await_drained(stage: Stage, node: Node) -> None:
    """Every balancer has the node DOWN: what follows is the cluster without it."""
    await_match(
        lambda: [b for b in stage.balancers if b.sees(node) != {"DOWN"}],
        lambda still: not still,
        what=f"{node} DOWN on every balancer",
        within=seconds(15),
    )


def _listens(node: Node) -> bool:
    try:
        socket.create_connection((node.address, 5672), timeout=1).close()
    except OSError:
        return False
    return True


def pin_a_publisher(workload: Workload, stream: str, queue: str, node: Node) -> None:
    """A publisher on one broker's own address: it stays where the balancer would have taken it away, until its broker closes."""
    workload.wire.ask("publish", stream=stream, queue=queue, host=node.address, rate=100, window=5000, reconnect=False)
    await_match(
        lambda: workload.progress().get(stream, (0, 0))[0],
        lambda n: n > 0,
        what=f"the first confirm of {stream}",
        within=seconds(10),
        ignore=(HarnessError,),
    )


def _attempted(workload: Workload) -> int:
    return int(workload.wire.ask("progress", within=10)["streams"]["pinned"]["attempted"])
