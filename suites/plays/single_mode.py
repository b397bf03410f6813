"""The single mode: one broker, stopped and killed, with nothing else to fall back on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.faults.node import killed, stopped
from pytest_rmqha.lease import Stage
from pytest_rmqha.workload.history import History

PERSISTENT, TRANSIENT = 100, 40


@dataclass(frozen=True)
class Seen:
    """Messages left in the parked queue, and the history of the load that ran through the restart."""

    history: History
    left: int


def the_only_broker_is_stopped(stage: Stage) -> Seen:
    return _through(stage, stopped)


def the_only_broker_is_killed(stage: Stage) -> Seen:
    return _through(stage, killed)


def _through(stage: Stage, strike: Callable[[Cluster, Node], Fault]) -> Seen:
    only = stage.cluster.nodes[0]
    parked, loaded = stage.cluster.declare("parked"), stage.cluster.declare("loaded")
    workload = stage.workload(loaded)
    workload.prepare()
    workload.publish_some(parked, PERSISTENT, stream="parked")
    workload.publish_some(parked, TRANSIENT, stream="transient.parked", persistent=False)

    with workload.running():
        with stage.chaos.inject(strike(stage.cluster, only)):
            pass
        left = stage.cluster.settled_messages(parked, only)
        workload.wire.ask("consume", role="c.parked", queue=parked)
    workload.leave_out(lambda stream: stream.startswith("transient."))
    return Seen(workload.history, left)
