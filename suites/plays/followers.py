"""A node that leads nothing of the load is killed; before that, what queues give through their home and through another node."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.replicas import Replicas
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

MESSAGES = 3000


@dataclass(frozen=True)
class Passage:
    """``MESSAGES`` published and consumed through one node's own address, as fast as confirms allow.

    ``seconds``: from the request to publish until all were confirmed and delivered. ``roles``: publisher and consumer;
    ``peers``: the addresses that they were connected to.
    """

    queue: str
    leader: str | None
    through: str
    address: str
    roles: tuple[str, str]
    confirmed: int
    delivered: int
    seconds: float
    peers: frozenset[str] = frozenset()

    @property
    def is_home(self) -> bool:
        return self.through == self.leader

    @property
    def rate(self) -> float:
        """Messages a second, published and consumed."""
        return self.delivered / self.seconds

    def __str__(self) -> str:
        return f"{self.queue} {self.rate:.0f}/s through {'its home' if self.is_home else self.through}"


@dataclass(frozen=True)
class Seen:
    """Replicas by queue of the load, before the kill, while the follower was dead and after its return."""

    history: History
    victim: str
    before: Mapping[str, Replicas]
    during: Mapping[str, Replicas]
    after: Mapping[str, Replicas]
    passages: tuple[Passage, ...]


def a_followers_node_is_killed(stage: Stage) -> Seen:
    home, other, victim = stage.cluster.nodes
    cluster = stage.cluster
    queues = (stage.mirrored("ha.load", home=home), stage.quorum("quorum.load", home=home))
    measured = (
        cluster.declare("rate.plain", home=home),
        stage.mirrored("rate.mirrored", home=home),
        stage.quorum("rate.quorum", home=home),
    )
    workload = stage.workload(*queues)
    workload.prepare()
    passages = [_pass(stage, workload, queue, node) for queue in measured for node in (home, other)]
    before = {queue: cluster.replicas(queue) for queue in queues}

    with workload.running():
        with stage.chaos.inject(killed(cluster, victim)):
            during = {queue: _await_missed(stage, queue, victim) for queue in queues}
            workload.await_progress(within=seconds(15))
        after = {queue: cluster.await_synced(queue, copies=len(cluster.nodes)) for queue in queues}
    history = workload.history
    return Seen(
        history,
        victim.name,
        before,
        during,
        after,
        tuple(dataclasses.replace(p, peers=_peers(history, p)) for p in passages),
    )


def _pass(stage: Stage, workload: Workload, queue: str, node: Node) -> Passage:
    stream, role = f"{queue}.{node}", f"c.{queue}.{node}"
    leader = stage.cluster.replicas(queue).leader
    workload.wire.ask("consume", role=role, queue=queue, host=node.address)
    await_match(
        lambda: workload.wire.ask("progress", within=10)["roles"][role]["connected"],
        bool,
        what=f"the consumer of {queue} on {node}",
        within=seconds(10),
        every=0.05,
    )
    began = clock.now()
    workload.wire.ask("publish", stream=stream, queue=queue, host=node.address, limit=MESSAGES, rate=0, window=500)
    passed = f"{MESSAGES} messages of {queue} confirmed and delivered through {node}"
    with stage.timeline.waiting(passed):
        confirmed, delivered = await_match(
            lambda: workload.progress().get(stream, (0, 0)),
            lambda counts: min(counts) >= MESSAGES,
            what=passed,
            within=seconds(30),
            every=0.02,
            error=InvariantNotUpheld,
        )
    took = clock.now() - began
    workload.wire.ask("stop", role=role, within=30)
    return Passage(queue, leader, node.name, node.address, (stream, role), confirmed, delivered, took)


def _await_missed(stage: Stage, queue: str, victim: Node) -> Replicas:
    """The queue's replicas once the dead one is no longer counted as in sync, or online."""
    return await_match(
        lambda: stage.cluster.replicas(queue),
        lambda r: victim.name not in r.in_sync,
        what=f"{queue} without its replica on {victim}",
        within=seconds(15),
        ignore=(ToolFailed, KeyError),
        error=InvariantNotUpheld,
    )


def _peers(history: History, passage: Passage) -> frozenset[str]:
    return frozenset(c.peer.rsplit(":", 1)[0] for c in history.connects if c.ok and c.role in passage.roles)
