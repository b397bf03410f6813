"""The whole cluster goes down and comes back without an order: stopped and started at once, or killed and one alone.

B12's objects lie beside the load: a durable and a fleeting one of each, and messages of both kinds in them.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass

from plays.both_kinds import Objects, declare_both_kinds, objects_of
from plays.lonely_start import Lonely, watched_alone
from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import BudgetSpent, ToolFailed
from pytest_rmqha.faults.cluster import killed_whole, start_in_order, stopped_whole
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

PERSISTENT, TRANSIENT = 100, 40
NAMED = 'grep -qaF "$1" /var/lib/rabbitmq/mnesia/*/quorum/*/names.dets'
NO_PROMISE = ("transient.durable", "persistent.fleeting")


@dataclass(frozen=True)
class ColdStart:
    """``whole_after``: seconds from the start to a whole cluster. ``arrived``: stream -> (confirmed before, delivered after).

    ``durable``: the queues that a restart keeps; ``states``: queue -> its state after the restart, "" where it tells none.
    ``objects_*``: node -> what it lists of the durable and fleeting ones; a binding is ``exchange→queue``.
    """

    history: History
    whole_after: float
    durable: frozenset[str]
    states: dict[str, str]
    arrived: dict[str, tuple[int, int]]
    objects_before: dict[str, Objects]
    objects_after: dict[str, Objects]


@dataclass(frozen=True)
class OneAlone:
    """``lonely``: what the one was seen to do before the others were started."""

    history: History
    lonely: Lonely
    whole_after: float


def everything_stops_and_starts_at_once(stage: Stage) -> ColdStart:
    cluster = stage.cluster
    first = cluster.nodes[0]
    workload = _load(stage, first)
    declare_both_kinds(cluster, first)
    parked = stage.quorum("quorum.parked", home=first)
    workload.prepare()
    workload.publish_some("durable.queue", PERSISTENT, stream="persistent.durable")
    workload.publish_some("durable.queue", TRANSIENT, stream="transient.durable", persistent=False)
    workload.publish_some("fleeting.queue", PERSISTENT, stream="persistent.fleeting")
    workload.publish_some(parked, PERSISTENT, stream="persistent.quorum")
    workload.publish_some(parked, TRANSIENT, stream="transient.quorum", persistent=False)
    before = _objects_by_node(cluster)

    with workload.running():
        with stage.chaos.inject(_stopped_at_once(cluster)):
            pass
        whole = _since_the_start(stage)
        states = states_of_queues(cluster)
        after = _objects_by_node(cluster)
        for queue in ("durable.queue", parked):
            workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    arrived = {s.name: (s.confirmed.count(), s.delivered.count()) for s in workload.history.streams}
    workload.leave_out(lambda stream: stream in NO_PROMISE)
    durable = frozenset({*workload.queues, "durable.queue", parked})
    return ColdStart(workload.history, whole, durable, states, arrived, before, after)


def everything_is_killed_and_one_starts_alone(stage: Stage) -> OneAlone:
    first, *others = stage.cluster.nodes
    workload = _load(stage, others[0])

    with workload.running():
        await_named(stage.cluster, "quorum.load")
        with stage.chaos.inject(_killed_with_one_first(stage.cluster, first)):
            started = clock.now()
            start_in_order((first,))
            lonely = watched_alone(first, started)
        whole = _since_the_start(stage)
    return OneAlone(workload.history, lonely, whole)


def await_named(cluster: Cluster, queue: str) -> None:
    """Every member's name is in Ra's file: a member that is killed before comes back as a new and empty one (observations)."""
    name = f"{cluster.vhost}_{queue}"
    await_match(
        lambda: [
            str(n) for n in cluster.nodes if n.containers.exec(n.service, "sh", "-c", NAMED, "sh", name).code != 0
        ],
        lambda unnamed: not unnamed,
        what=f"the name of {queue} on every broker's disk",
        within=seconds(15),
    )


def _load(stage: Stage, home: Node) -> Workload:
    return stage.workload(stage.mirrored("ha.load", home=home), stage.quorum("quorum.load", home=home))


def _stopped_at_once(cluster: Cluster) -> Fault:
    """SIGTERM to every broker at one moment; healed by starting all at one moment."""
    nodes = cluster.nodes
    return dataclasses.replace(
        stopped_whole(cluster, stop=nodes, start=nodes),
        title="every broker stopped at once and started at once",
        inject=lambda: cluster.at_once(Node.stop_by_itself),
        heal=killed_whole(cluster).heal,
        within=seconds(40),
    )


def _killed_with_one_first(cluster: Cluster, first: Node) -> Fault:
    """A power cut whose first victim is known: ``first`` can't have seen the others go, so it may not start without them."""

    def inject() -> None:
        first.kill()
        cluster.at_once(Node.kill, cluster.others(first))

    return dataclasses.replace(killed_whole(cluster), title=f"every broker killed, {first} first", inject=inject)


def _objects_by_node(cluster: Cluster) -> dict[str, Objects]:
    return {str(node): objects_of(node, cluster.vhost) for node in cluster.nodes}


def states_of_queues(cluster: Cluster) -> dict[str, str]:
    """What each queue in the scenario's vhost says of itself, once all run, or as it was after 30 s: one may still be starting.

    "" is a queue that tells no state: a quorum queue that nobody leads tells none (observations), and a classic one that has
    not spoken since the restart. Empty where nobody answered.
    """
    states: dict[str, str] = {}

    def look() -> dict[str, str]:
        nonlocal states
        states = {str(q["name"]): str(q.get("state") or "") for q in cluster.any_answering().api.queues(cluster.vhost)}
        return states

    with contextlib.suppress(BudgetSpent):
        await_match(
            look,
            lambda seen: bool(seen) and set(seen.values()) == {"running"},
            what="every queue running",
            within=seconds(30),
            ignore=(ToolFailed, KeyError),
        )
    return states


def _since_the_start(stage: Stage) -> float:
    healed = [e for e in stage.events if e.kind == "fault.healed"]
    return clock.now() - max(e.at + float(str(e.data.get("took", 0))) for e in healed)
