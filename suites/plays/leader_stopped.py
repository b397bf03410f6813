"""The node that leads the loaded queues is stopped as a service manager stops it."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_rmqha.faults.node import stopped
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.history import History


@dataclass(frozen=True)
class Seen:
    history: History
    victim: str
    mirrors_in_sync_before: frozenset[str]
    mirror_promoted: str
    quorum_leader_elected: str


def the_leaders_node_is_stopped(stage: Stage) -> Seen:
    _, _, victim = stage.cluster.nodes
    ha, quorum = stage.mirrored("ha.load", home=victim), stage.quorum("quorum.load", home=victim)
    in_sync = stage.cluster.replicas(ha).in_sync - {victim.name}
    workload = stage.workload(ha, quorum)

    with workload.running(), stage.chaos.inject(stopped(stage.cluster, victim)):
        promoted = stage.cluster.await_leader(ha, other_than=victim, within=seconds(15))
        elected = stage.cluster.await_leader(quorum, other_than=victim, within=seconds(15))
        workload.await_progress(within=seconds(15))
    return Seen(workload.history, victim.name, in_sync, promoted.name, elected.name)
