"""Two graceful restarts, one after the other, of the only two nodes with a queue that synchronises by itself.

The same restarts lose a queue that doesn't (``restarts_without_sync``). The first node is also the home of queues without
mirrors: S3 and N15.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from plays import unmirrored
from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults.node import stopped
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History, Stream
from pytest_rmqha.workload.workload import Workload

QUEUE = "automatic"
FILLED, MORE = 500, 200
ALWAYS = {"ha_promote_on_shutdown": "always", "ha_promote_on_failure": "always"}


@dataclass(frozen=True)
class Seen:
    """``in_sync_without_first``: while it was stopped. ``synced_after``: seconds from its return until it was in sync.

    ``kept``: messages that the first node alone delivered while the second was stopped.
    """

    history: History
    first: str
    second: str
    in_sync_without_first: frozenset[str]
    led_without_first: str
    synced_after: float
    led_without_second: str
    kept: int
    streams: tuple[Stream, ...]
    unmirrored: unmirrored.Unmirrored


def two_restarts_of_a_queue_that_synchronises_by_itself(stage: Stage) -> Seen:
    first, second, third = stage.cluster.nodes
    cluster = stage.cluster
    ha, quorum = stage.mirrored("ha.load", home=third), stage.quorum("quorum.load", home=third)
    stage.mirrored(QUEUE, home=first, copies=2, ha_mode="nodes", ha_params=[first.name, second.name], **ALWAYS)
    workload = stage.workload(ha, quorum)
    workload.prepare()
    parked = unmirrored.park(stage, workload, first)
    workload.publish_some(QUEUE, FILLED, stream="filled")

    with workload.running():
        with stage.chaos.inject(stopped(cluster, first)):
            led_by_second = cluster.await_leader(QUEUE, other_than=first, within=seconds(15))
            without_first = cluster.replicas(QUEUE, led_by_second).in_sync
            workload.publish_some(QUEUE, MORE, stream="more")
            away = unmirrored.look_while_away(stage, workload, first)
            workload.await_progress(within=seconds(15))
        synced_after = _await_synced_by_itself(stage, first, second)
        after = unmirrored.look_afterwards(stage, workload)
        with stage.chaos.inject(stopped(cluster, second)):
            led_by_first = cluster.await_leader(QUEUE, other_than=second, within=seconds(15))
            kept = _delivered_by_what_is_left(workload)
            workload.await_progress(within=seconds(15))

    plain = unmirrored.what_became_of_it(workload, first, parked, away, after)
    history = workload.history
    return Seen(
        history,
        first.name,
        second.name,
        without_first,
        led_by_second.name,
        synced_after,
        led_by_first.name,
        kept,
        tuple(s for s in history.streams if s.queue == QUEUE),
        plain,
    )


def _await_synced_by_itself(stage: Stage, *nodes: Node) -> float:
    """Nobody asks for the sync: seconds from the moment at which the node was seen back until both are in sync."""
    wanted = frozenset(node.name for node in nodes)
    back_at = max(e.at for e in stage.events if e.kind == "fault.gone")
    await_match(
        lambda: stage.cluster.replicas(QUEUE).in_sync,
        lambda in_sync: in_sync >= wanted,
        what=f"{QUEUE} in sync on {', '.join(map(str, nodes))} by itself",
        within=seconds(30),
        ignore=(ToolFailed, KeyError),
        error=InvariantNotUpheld,
    )
    return clock.now() - back_at


def _delivered_by_what_is_left(workload: Workload) -> int:
    """Both streams' messages that came; all of them are waited for, but not insisted on."""
    workload.wire.ask("consume", role=f"c.{QUEUE}", queue=QUEUE)

    def delivered() -> int:
        progress = workload.progress()
        return sum(progress[stream][1] for stream in ("filled", "more"))

    with contextlib.suppress(BudgetSpent):
        await_match(
            delivered,
            lambda count: count == FILLED + MORE,
            what=f"all {FILLED + MORE} messages of {QUEUE} delivered by its only node",
            within=seconds(15),
        )
    return delivered()
