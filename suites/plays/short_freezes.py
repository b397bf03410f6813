"""The leader's node is frozen for half the tick time and thawed again: a pause of the machine, not a death."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster
from pytest_rmqha.faults.node import frozen
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History

EARLIEST = 0.75  # silence is noticed after the tick time, more or less a quarter of it


@dataclass(frozen=True)
class Seen:
    """``frozen_for``: seconds from the request to freeze until the thaw was done. Leaders by queue, Erlang names.

    ``stalled_for``: longest stretch, by queue, without a confirm that the freeze fell into. ``partitions``: node ->
    the peers that it says it was partitioned from, afterwards. ``marked_down``: backends DOWN since the freeze.
    """

    history: History
    tick_time: float
    victim: str
    frozen_for: float
    stalled_for: Mapping[str, float]
    leaders_before: Mapping[str, str | None]
    leaders_after: Mapping[str, str | None]
    partitions: Mapping[str, tuple[str, ...]]
    marked_down: tuple[str, ...]


def the_leaders_node_is_frozen_for_half_the_tick_time(stage: Stage) -> Seen:
    _, victim, _ = stage.cluster.nodes
    queues = (stage.mirrored("ha.load", home=victim), stage.quorum("quorum.load", home=victim))
    workload = stage.workload(*queues)
    before = {queue: stage.cluster.replicas(queue).leader for queue in queues}
    tick_time = victim.tick_time()

    with workload.running():
        with stage.chaos.inject(frozen(stage.cluster, victim)), stage.timeline.waiting("frozen for half the tick time"):
            thaw_at = _struck(stage) + tick_time / 2
            await_match(
                clock.now,
                lambda at: at >= thaw_at,
                what="half the tick time",
                within=seconds(tick_time / 2 + 30),
                every=0.05,
            )
        workload.await_progress(within=seconds(15))
        after = {queue: stage.cluster.replicas(queue).leader for queue in queues}
        partitions = _partitions(stage.cluster)

    struck, thawed = _struck(stage), _thawed(stage)
    history = workload.history
    stalls = {
        queue: max(
            (
                gap.seconds
                for gap in history.gaps
                if gap.kind == "publish"
                and gap.role == workload.stream_of(queue)
                and gap.start < thawed
                and gap.end > struck
            ),
            default=0.0,
        )
        for queue in queues
    }
    down = tuple(
        sorted(
            {e.subject for e in stage.events if e.kind == "backend" and e.at > struck and e.data.get("state") == "DOWN"}
        )
    )
    return Seen(history, tick_time, victim.name, thawed - struck, stalls, before, after, partitions, down)


def _struck(stage: Stage) -> float:
    return next(e.at for e in stage.events if e.kind == "fault.injected")


def _thawed(stage: Stage) -> float:
    return next(e.at + float(str(e.data["took"])) for e in stage.events if e.kind == "fault.healed")


def _partitions(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    return {
        str(node): tuple(sorted({str(p) for seen in node.view().values() for p in seen.get("partitions") or ()}))
        for node in cluster.nodes
    }
