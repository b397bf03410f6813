"""The leader's node is killed while messages are in every state: one just confirmed, a batch held, some settled for good.

On the same node live queues without mirrors: N4, N7, N15, S13 and S14 each look at their own part.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from plays import held_batch, misnamed, settled, unmirrored
from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import InvariantNotUpheld
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History, Stream
from pytest_rmqha.workload.workload import Workload

ONE = ("ha.one", "quorum.one")
BATCHES = ("ha.batch", "quorum.batch")


@dataclass(frozen=True)
class Seen:
    """``killed_after``: seconds from the last of the single confirms until the node was dead.

    ``one_delivered``: by queue, from the survivors. ``redelivered``: of the batch, by the promoted mirror to a consumer
    that stayed. ``delivery_counts``: x-delivery-count -> messages of the quorum queue's batch.
    """

    history: History
    victim: str
    killed_after: float
    one_delivered: dict[str, int]
    redelivered: int
    delivery_counts: dict[int, int]
    batches: dict[str, Stream]
    unmirrored: unmirrored.Unmirrored
    misnamed: misnamed.Misnamed
    settled: settled.Settled
    leaders: dict[str, str]


def the_leaders_node_is_killed_under_unsettled_messages(stage: Stage) -> Seen:
    keeper, victim, _ = stage.cluster.nodes
    cluster = stage.cluster
    ha, quorum = stage.mirrored("ha.load", home=victim), stage.quorum("quorum.load", home=victim)
    for queue in ("ha.one", "ha.batch"):
        stage.mirrored(queue, home=victim)
    for queue in ("quorum.one", "quorum.batch"):
        stage.quorum(queue, home=victim)
    pair = misnamed.declare(stage, victim)
    workload = stage.workload(ha, quorum)
    workload.prepare()
    parked = unmirrored.park(stage, workload, victim)
    acked = settled.settle(stage, workload, victim)
    held_batch.hold_a_batch(workload, "ha.batch", keeper)
    held_batch.hold_a_batch(workload, "quorum.batch", victim, reconnect=False)

    dead_at: list[float] = []
    with workload.running():
        with stage.chaos.inject(_killed_right_after_a_confirm(cluster, victim, workload, dead_at)):
            leaders = {
                q: cluster.await_leader(q, other_than=victim, within=seconds(15)).name
                for q in (ha, quorum, *ONE, *BATCHES)
            }
            one = _what_survivors_deliver(workload)
            counts = held_batch.delivery_counts(cluster, "quorum.batch", keeper)
            kept = settled.look_while_away(workload)
            redelivered = held_batch.await_redelivered(workload, "ha.batch")
            away = unmirrored.look_while_away(stage, workload, victim)
            asked, twin = misnamed.look_while_away(stage, workload, victim)
            workload.await_progress(within=seconds(15))
        for queue in BATCHES:
            held_batch.let_go(workload, queue)
        after = unmirrored.look_afterwards(stage, workload)

    plain = unmirrored.what_became_of_it(workload, victim, parked, away, after)
    for_good = settled.what_became_of_it(workload, acked, kept)
    history = workload.history
    return Seen(
        history,
        victim.name,
        dead_at[0] - _last_single_confirm(stage),
        one,
        redelivered,
        counts,
        {s.queue: s for s in history.streams if s.queue in BATCHES},
        plain,
        dataclasses.replace(pair, asked=asked, twin_led_by=twin),
        for_good,
        leaders,
    )


def _killed_right_after_a_confirm(cluster: Cluster, victim: Node, workload: Workload, dead_at: list[float]) -> Fault:
    """One message to each queue of ``ONE``; the node dies as soon as both are confirmed."""

    def inject() -> None:
        for queue in ONE:
            workload.wire.ask("publish", stream=f"one.{queue}", queue=queue, limit=1)
        await_match(
            lambda: [workload.progress().get(f"one.{queue}", (0, 0))[0] for queue in ONE],
            lambda confirmed: confirmed == [1] * len(ONE),
            what="one confirm from each queue",
            within=seconds(10),
            every=0.005,
        )
        victim.kill()
        dead_at.append(clock.now())

    fault = killed(cluster, victim)
    return dataclasses.replace(fault, title=f"{fault.title} right after a confirm", inject=inject)


def _what_survivors_deliver(workload: Workload) -> dict[str, int]:
    for queue in ONE:
        workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    return await_match(
        lambda: {queue: workload.progress()[f"one.{queue}"][1] for queue in ONE},
        lambda delivered: all(delivered.values()),
        what="the one confirmed message of each queue, delivered by a survivor",
        within=seconds(20),
        error=InvariantNotUpheld,
    )


def _last_single_confirm(stage: Stage) -> float:
    streams = {f"one.{queue}" for queue in ONE}
    return max(e.at for e in stage.events if e.kind == "client" and e.text == "first_confirm" and e.subject in streams)
