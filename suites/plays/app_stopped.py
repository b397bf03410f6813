"""``stop_app`` on the leader's node: the broker in it stops, the Erlang node around it stays reachable.

The node is also the home of queues without mirrors and leads a queue whose batch a consumer holds: N14 and N15.
"""

from __future__ import annotations

from dataclasses import dataclass

from plays import held_batch, unmirrored
from pytest_rmqha.cluster import Node
from pytest_rmqha.faults.node import app_stopped
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.history import History


@dataclass(frozen=True)
class Seen:
    """``runs_inside``: what the Erlang node itself answered, while the app was stopped, to whether a broker runs in it."""

    history: History
    victim: str
    container: str
    runs_inside: str
    mirrors_in_sync_before: frozenset[str]
    mirror_promoted: str
    quorum_leader_elected: str
    redelivered: int
    unmirrored: unmirrored.Unmirrored


def the_leaders_app_is_stopped(stage: Stage) -> Seen:
    keeper, _, victim = stage.cluster.nodes
    cluster = stage.cluster
    ha, quorum = stage.mirrored("ha.load", home=victim), stage.quorum("quorum.load", home=victim)
    batch = stage.mirrored("ha.batch", home=victim)
    in_sync = cluster.replicas(ha).in_sync - {victim.name}
    workload = stage.workload(ha, quorum)
    workload.prepare()
    parked = unmirrored.park(stage, workload, victim)
    held_batch.hold_a_batch(workload, batch, keeper)

    with workload.running():
        with stage.chaos.inject(app_stopped(cluster, victim)):
            promoted = cluster.await_leader(ha, other_than=victim, within=seconds(15))
            elected = cluster.await_leader(quorum, other_than=victim, within=seconds(15))
            redelivered = held_batch.await_redelivered(workload, batch)
            away = unmirrored.look_while_away(stage, workload, victim)
            container, runs = victim.state(), _runs_inside(victim)
            workload.await_progress(within=seconds(15))
        held_batch.let_go(workload, batch)
        after = unmirrored.look_afterwards(stage, workload)

    plain = unmirrored.what_became_of_it(workload, victim, parked, away, after)
    return Seen(
        workload.history,
        victim.name,
        container,
        runs,
        in_sync,
        promoted.name,
        elected.name,
        redelivered,
        plain,
    )


def _runs_inside(node: Node) -> str:
    """The Erlang node's own answer, ``true`` or ``false``; a node that can't be reached is a ToolFailed."""
    return node.containers.must(node.service, "rabbitmqctl", "eval", "rabbit:is_running().").strip()
