"""The standard load with short heartbeats, for faults that leave sessions behind that nobody ends.

A VIP that moves away from a living (or frozen) haproxy leaves the consumers' old sessions at the brokers, with up to 200
prefetched messages each. With the reference's heartbeat of 20 s that costs each play a minute; with 6 s it costs 12.
"""

from __future__ import annotations

import dataclasses

from pytest_rmqha.lease import Stage
from pytest_rmqha.workload.workload import Workload

HEARTBEAT = 6


def load_with_quick_heartbeats(stage: Stage) -> Workload:
    """One mirrored and one quorum queue, led by different brokers."""
    first, second, _ = stage.cluster.nodes
    workload = stage.workload(stage.mirrored("ha.load", home=first), stage.quorum("quorum.load", home=second))
    workload.access = dataclasses.replace(workload.access, heartbeat=HEARTBEAT)
    return workload
