"""The whole cluster goes down and comes back without an order: stopped and started at once, or killed and one alone.

B12's objects lie beside the load: a durable and a fleeting one of each, and messages of both kinds in them.
"""

from __future__ import annotations

import dataclasses
import socket
from dataclasses import dataclass

from plays.logs import lines_since
from plays.whole_cluster import WAITING
from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults.cluster import killed_whole, start_in_order, stopped_whole
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

PERSISTENT, TRANSIENT = 100, 40
DURABLE, FLEETING = "durable", "fleeting"
NO_PROMISE = ("transient.durable", "persistent.fleeting")
Objects = frozenset[str]


@dataclass(frozen=True)
class ColdStart:
    """``whole_after``: seconds from the start to a whole cluster. ``arrived``: stream -> (confirmed before, delivered after).

    ``objects_*``: node -> what it lists of the durable and fleeting ones; a binding is ``exchange→queue``.
    """

    history: History
    whole_after: float
    not_running_after: tuple[str, ...]
    arrived: dict[str, tuple[int, int]]
    objects_before: dict[str, Objects]
    objects_after: dict[str, Objects]


@dataclass(frozen=True)
class OneAlone:
    """``waited``: its log said that it waits for its peers, and it listened on no port of a broker then."""

    history: History
    waited: bool
    listened: bool
    alone_for: float
    whole_after: float


def everything_stops_and_starts_at_once(stage: Stage) -> ColdStart:
    cluster = stage.cluster
    first = cluster.nodes[0]
    workload = _load(stage, first)
    _declare_both_kinds(cluster, first)
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
        unready = _await_every_queue_running(cluster)
        after = _objects_by_node(cluster)
        for queue in ("durable.queue", parked):
            workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    arrived = {s.name: (s.confirmed.count(), s.delivered.count()) for s in workload.history.streams}
    workload.leave_out(lambda stream: stream in NO_PROMISE)
    return ColdStart(workload.history, whole, unready, arrived, before, after)


def everything_is_killed_and_one_starts_alone(stage: Stage) -> OneAlone:
    first, *others = stage.cluster.nodes
    workload = _load(stage, others[0])

    with workload.running():
        with stage.chaos.inject(_killed_with_one_first(stage.cluster, first)):
            started = clock.now()
            start_in_order((first,))
            waited = _waits_for_its_peers(first, started)
            alone_for, listened = clock.now() - started, _listens(first)
        whole = _since_the_start(stage)
    return OneAlone(workload.history, waited, listened, alone_for, whole)


def _load(stage: Stage, home: Node) -> Workload:
    return stage.workload(stage.mirrored("ha.load", home=home), stage.quorum("quorum.load", home=home))


def _stopped_at_once(cluster: Cluster) -> Fault:
    """SIGTERM to every broker at one moment; healed by starting all at one moment."""
    nodes = cluster.nodes
    return dataclasses.replace(
        stopped_whole(cluster, stop=nodes, start=nodes),
        title="every broker stopped at once and started at once",
        inject=lambda: cluster.at_once(Node.stop),
        heal=killed_whole(cluster).heal,
        within=seconds(40),
    )


def _killed_with_one_first(cluster: Cluster, first: Node) -> Fault:
    """A power cut whose first victim is known: ``first`` can't have seen the others go, so it may not start without them."""

    def inject() -> None:
        first.kill()
        cluster.at_once(Node.kill, cluster.others(first))

    return dataclasses.replace(killed_whole(cluster), title=f"every broker killed, {first} first", inject=inject)


def _declare_both_kinds(cluster: Cluster, home: Node) -> None:
    api, vhost = home.api, cluster.vhost
    for kind, durable in ((DURABLE, True), (FLEETING, False)):
        cluster.declare(f"{kind}.queue", home=home, durable=durable)
        body = {"type": "direct", "durable": durable}
        api.ask("PUT", f"exchanges/{vhost}/{kind}.exchange", body, timeout=15)
    for exchange in (DURABLE, FLEETING):
        for queue in (DURABLE, FLEETING):
            api.put_binding(vhost, f"{exchange}.exchange", f"{queue}.queue", "key")


def _objects_by_node(cluster: Cluster) -> dict[str, Objects]:
    return {str(node): _objects(node, cluster.vhost) for node in cluster.nodes}


def _objects(node: Node, vhost: str) -> Objects:
    queues = [str(q["name"]) for q in node.api.queues(vhost)]
    exchanges = [str(e["name"]) for e in node.api.get(f"exchanges/{vhost}")]
    bindings = [f"{b['source']}→{b['destination']}" for b in node.api.get(f"bindings/{vhost}") if b["source"]]
    return frozenset(name for name in (*queues, *exchanges, *bindings) if name.startswith((DURABLE, FLEETING)))


def _await_every_queue_running(cluster: Cluster) -> tuple[str, ...]:
    """Names of the queues in the scenario's vhost that do not run, once there are none; a queue may still be starting."""

    def not_running() -> tuple[str, ...]:
        found = cluster.any_answering().api.queues(cluster.vhost)
        return tuple(str(q["name"]) for q in found if q.get("state", "running") != "running")

    return await_match(
        not_running,
        lambda names: not names,
        what="every queue running",
        within=seconds(30),
        ignore=(ToolFailed,),
        error=InvariantNotUpheld,
    )


def _since_the_start(stage: Stage) -> float:
    healed = [e for e in stage.events if e.kind == "fault.healed"]
    return clock.now() - max(e.at + float(str(e.data.get("took", 0))) for e in healed)


def _waits_for_its_peers(node: Node, since: float) -> bool:
    """It takes 40 s to say so (measured on 3.10.8): it dials each dead peer several times first, 7 s each."""

    def says() -> bool:
        return any(WAITING in line for line in lines_since(node.containers, node.service, since))

    try:
        await_match(says, bool, what=f"{node} waiting for its peers", within=seconds(70), every=0.5)
    except BudgetSpent:
        return False
    return True


def _listens(node: Node) -> bool:
    for port in (5672, 15672):
        try:
            socket.create_connection((node.address, port), timeout=0.5).close()
        except OSError:
            continue
        return True
    return False
