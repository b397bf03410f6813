"""A silent cut that nobody has noticed yet: channels that the isolated broker knows, beside new ones that it has never confirmed to.

A broker under ``pause_minority`` asks before each confirm whether it still sees a majority (``pause_partition_guard`` of
rabbit_node_monitor), for a leader that has just dropped its mirrors has nobody left to wait for. A channel begins with "no
peers, all well" as what it saw last: if its first confirm is due when its broker sees nobody, it takes that for unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from plays.partitions import PATIENT, await_pause, pin_a_publisher
from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.faults.network import isolated
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import Stream
from pytest_rmqha.workload.workload import Workload

KNOWN, FRESH, FRESH_QUORUM = "known", "fresh", "fresh, quorum"
ENOUGH = 100


@dataclass(frozen=True)
class Channels:
    """One publisher each on the isolated leader. ``opened_after``, ``paused_after``: seconds after the cut."""

    known: Stream
    fresh: Stream
    fresh_quorum: Stream
    confirmed_before_the_cut: int
    opened_after: float
    paused_after: float


def new_channels_are_opened_on_a_leader_that_is_cut_off_and_does_not_know(stage: Stage) -> Channels:
    keeper, victim, _ = stage.cluster.nodes
    queues = {
        KNOWN: stage.mirrored("ha.known", home=victim),
        FRESH: stage.mirrored("ha.fresh", home=victim),
        FRESH_QUORUM: stage.quorum("quorum.fresh", home=victim),
    }
    workload = stage.workload(stage.mirrored("ha.load", home=keeper), patience=PATIENT)

    with workload.running():
        pin_a_publisher(workload, KNOWN, queues[KNOWN], victim)
        with stage.chaos.inject(isolated(stage.cluster, stage.links, victim, silently=True)):
            cut_at = next(e.at for e in stage.events if e.kind == "fault.injected")
            confirmed = workload.progress()[KNOWN][0]
            for stream in (FRESH, FRESH_QUORUM):
                _connect(workload, stream, queues[stream], victim)
            opened_after = clock.now() - cut_at
            paused_after = await_pause(stage, victim)
            if math.isfinite(paused_after):
                workload.await_progress(within=seconds(25))
        for stream in queues:
            workload.wire.ask("stop", stream=stream, within=5)
        for stream, queue in queues.items():
            workload.wire.ask("consume", role=f"c.{stream}", queue=queue)
    streams = {stream.name: stream for stream in workload.history.streams}
    return Channels(streams[KNOWN], streams[FRESH], streams[FRESH_QUORUM], confirmed, opened_after, paused_after)


def _connect(workload: Workload, stream: str, queue: str, node: Node) -> None:
    workload.wire.ask("publish", stream=stream, queue=queue, host=node.address, rate=50, window=5000, reconnect=False)
    await_match(
        lambda: workload.wire.ask("progress", within=10)["streams"].get(stream, {}).get("attempted", 0),
        lambda n: n > 0,
        what=f"the first message of {stream}",
        within=seconds(5),
    )
