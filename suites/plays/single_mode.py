"""The single mode: one broker, stopped, killed, its application stopped, restarted, with nothing else to fall back on.

B12's objects and messages lie beside the load. Up to 4.2 a queue may be neither durable nor exclusive; 4.3 refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from plays.both_kinds import Objects, declare_both_kinds, objects_of
from plays.cold_starts import await_named, states_of_queues
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.faults.node import app_stopped, killed, restarted, stopped
from pytest_rmqha.lease import Stage
from pytest_rmqha.workload.history import History

PERSISTENT, TRANSIENT = 100, 40
NO_PROMISE = ("transient.durable", "persistent.fleeting")


@dataclass(frozen=True)
class Seen:
    """``arrived``: stream -> (confirmed before, delivered after). ``fleeting_queue``: this broker takes one.

    ``objects_*``: what it lists of the durable and fleeting ones. ``durable``: the queues that a restart keeps; ``states``:
    queue -> its state afterwards, "" where it tells none.
    """

    history: History
    arrived: dict[str, tuple[int, int]]
    objects_before: Objects
    objects_after: Objects
    fleeting_queue: bool
    durable: frozenset[str]
    states: dict[str, str]


def the_only_broker_is_stopped(stage: Stage) -> Seen:
    return _through(stage, stopped)


def the_only_broker_is_killed(stage: Stage) -> Seen:
    return _through(stage, killed)


def the_only_brokers_application_is_stopped(stage: Stage) -> Seen:
    return _through(stage, app_stopped)


def the_only_broker_is_restarted(stage: Stage) -> Seen:
    return _through(stage, restarted)


def _through(stage: Stage, strike: Callable[[Cluster, Node], Fault]) -> Seen:
    only, vhost = stage.cluster.nodes[0], stage.cluster.vhost
    takes_fleeting = takes_a_fleeting_queue(only)
    workload = stage.workload(stage.cluster.declare("loaded"))
    declare_both_kinds(stage.cluster, fleeting_queue=takes_fleeting)
    parked = stage.quorum("quorum.parked")
    workload.prepare()
    workload.publish_some("durable.queue", PERSISTENT, stream="persistent.durable")
    workload.publish_some("durable.queue", TRANSIENT, stream="transient.durable", persistent=False)
    if takes_fleeting:
        workload.publish_some("fleeting.queue", PERSISTENT, stream="persistent.fleeting")
    workload.publish_some(parked, PERSISTENT, stream="persistent.quorum")
    workload.publish_some(parked, TRANSIENT, stream="transient.quorum", persistent=False)
    before = objects_of(only, vhost)
    if strike is killed:  # a broker that stops in good order closes Ra's file itself
        await_named(stage.cluster, parked)

    with workload.running():
        with stage.chaos.inject(strike(stage.cluster, only)):
            pass
        states = states_of_queues(stage.cluster)
        after = objects_of(only, vhost)
        for queue in ("durable.queue", parked):
            workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    arrived = {s.name: (s.confirmed.count(), s.delivered.count()) for s in workload.history.streams}
    workload.leave_out(lambda stream: stream in NO_PROMISE)
    durable = frozenset({*workload.queues, "durable.queue", parked})
    return Seen(workload.history, arrived, before, after, takes_fleeting, durable, states)


def takes_a_fleeting_queue(node: Node) -> bool:
    """Release notes of 4.3.0: ``transient_nonexcl_queues`` is denied by default."""
    major, minor, *_ = str(node.api.get("overview")["rabbitmq_version"]).split(".")
    return (int(major), int(minor)) < (4, 3)
