"""The documented way to lose a mirrored queue: restart one node, then the other, and never let the mirror catch up.

Two queues with the same unsafe policy take the same two restarts; one is synchronised between them, the other is not.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from pytest_rmqha.faults.node import stopped
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.history import History, Stream

FILLED = 500
UNSAFE = {
    "ha_mode": "nodes",
    "ha_sync_mode": "manual",
    "ha_promote_on_shutdown": "always",
    "ha_promote_on_failure": "always",
}


@dataclass(frozen=True)
class Seen:
    """Messages by queue ("unsynced", "synced")."""

    confirmed: dict[str, int]
    left: dict[str, int]
    unsynced: Stream
    unsynced_replicas_before_second: int
    history_of_synced: History


def two_restarts_with_and_without_a_sync_between(stage: Stage) -> Seen:
    first, second, _ = stage.cluster.nodes
    cluster = stage.cluster
    for queue in ("unsynced", "synced"):
        stage.mirrored(queue, home=first, copies=2, ha_params=[first.name, second.name], **UNSAFE)
    workload = stage.workload("unsynced", "synced")
    workload.prepare()
    for queue in workload.queues:
        workload.publish_some(queue, FILLED)

    with stage.chaos.inject(stopped(cluster, first)):
        for queue in workload.queues:
            cluster.await_leader(queue, other_than=first, within=seconds(15))
    for queue in workload.queues:
        cluster.await_members(queue, first)
    behind = cluster.replicas("unsynced")
    cluster.any_answering().api.queue_action(cluster.vhost, "synced", "sync")
    cluster.await_synced("synced", copies=2)
    with stage.chaos.inject(stopped(cluster, second)):
        left = {queue: _left(stage, queue, second.name) for queue in workload.queues}

    for queue in workload.queues:
        workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    history = workload.collect()
    streams = {s.queue: s for s in history.streams}
    return Seen(
        {q: s.confirmed.count() for q, s in streams.items()},
        left,
        streams["unsynced"],
        len(behind.members - behind.in_sync),
        dataclasses.replace(history, streams=(streams["synced"],)),
    )


def _left(stage: Stage, queue: str, stopped_node: str) -> int:
    """What the queue still has once another node leads it and its statistics have been written anew."""
    cluster = stage.cluster
    cluster.await_leader(queue, other_than=cluster.node(stopped_node), within=seconds(15))
    via = cluster.any_answering(excluded=(cluster.node(stopped_node),))
    return cluster.settled_messages(queue, via)
