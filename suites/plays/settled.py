"""Messages that are settled for good before the leader dies: one half acknowledged, another queue purged.

What has to stay away is sent without confirms; the kept half, which lay behind it in the same mirrored queue, is confirmed.
Order does the proof: what came back from a mirror would come before the kept half, and before what follows the purge.
"""

from __future__ import annotations

from dataclasses import dataclass

from plays.unmirrored import send
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import InvariantNotUpheld
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.workload import Workload

HALVED, PURGED = "ha.halved", "ha.purged"
HALF, WHOLE, AFTER = 100, 200, 20
GONE_FOR_GOOD = ("halved.acked", "purged.before")


@dataclass(frozen=True)
class Settled:
    """``acked``: taken and acknowledged. ``came_back``: deliveries by stream."""

    acked: int
    kept_delivered_while_away: int
    after_purge_delivered_while_away: int
    came_back: dict[str, int]


def settle(stage: Stage, workload: Workload, home: Node) -> int:
    """Fill two mirrored queues led by ``home``, acknowledge half of one and purge the other; how many were acknowledged.

    BudgetSpent where the queue that is to be purged does not have all 200 messages before, and none after.
    """
    cluster = stage.cluster
    for queue in (HALVED, PURGED):
        stage.mirrored(queue, home=home)
    send(workload, HALVED, HALF, stream="halved.acked")
    send(workload, PURGED, WHOLE, stream="purged.before")
    cluster.await_messages(HALVED, HALF)
    workload.publish_some(HALVED, HALF, stream="halved.kept")
    cluster.await_messages(PURGED, WHOLE)

    acked = int(workload.wire.ask("get", queue=HALVED, limit=HALF, within=30)["found"])
    cluster.any_answering().api.ask("DELETE", f"queues/{cluster.vhost}/{PURGED}/contents", timeout=15)
    cluster.await_messages(HALVED, HALF)
    cluster.await_messages(PURGED, 0)
    return acked


def look_while_away(workload: Workload) -> tuple[int, int]:
    """(kept half, messages sent after the purge) that the promoted mirrors deliver."""
    for queue in (HALVED, PURGED):
        workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    workload.publish_some(PURGED, AFTER, stream="purged.after")

    def ask() -> tuple[int, int]:
        progress = workload.progress()
        return progress["halved.kept"][1], progress["purged.after"][1]

    return await_match(
        ask,
        lambda seen: seen == (HALF, AFTER),
        what="the kept half, and what was sent after the purge, delivered by mirrors",
        within=seconds(20),
        error=InvariantNotUpheld,
    )


def what_became_of_it(workload: Workload, acked: int, while_away: tuple[int, int]) -> Settled:
    """Once the load has ended: put it together, and take what had to stay away out of the history."""
    came_back = {s.name: s.delivered.count() for s in workload.history.streams if s.name in GONE_FOR_GOOD}
    workload.leave_out(lambda stream: stream in GONE_FOR_GOOD)
    return Settled(acked, *while_away, came_back)
