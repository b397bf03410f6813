"""The whole cluster goes down under load and comes back: three orders of one fault.

Beside the load lie parked messages in queues that nobody consumes, so that what a restart keeps can be counted.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from dataclasses import dataclass

from plays.logins import logged_in
from plays.lonely_start import Lonely, watched_alone
from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.config.listens import MANAGEMENT, listens
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.faults.cluster import killed_whole, start_in_order, stopped_whole
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

PERSISTENT, TRANSIENT = 100, 40
A_BINARY = re.compile(r'<<(?:"([A-Za-z0-9+/=]*)")?>>')


@dataclass(frozen=True)
class Seen:
    """``left``: messages by parked queue after the restart. ``whole_after``: seconds from the last start to a whole cluster.

    ``names``: the one set at run time, then what each node and the VIP say after the restart, empty where the VIP lets nobody
    in; the VIP has no name where no haproxy.cfg listens for the management. ``configured_names``: what the brokers' own configuration calls the cluster, which RabbitMQ sets again at every boot;
    empty where it says nothing.
    """

    history: History
    left: dict[str, int]
    whole_after: float
    lonely: Lonely | None = None
    transient_before: int = 0
    names: tuple[str, ...] = ()
    configured_names: frozenset[str] = frozenset()
    management_at_the_vip: bool = True


def the_last_stopped_starts_first(stage: Stage) -> Seen:
    a, b, c = stage.cluster.nodes
    configured = frozenset(filter(None, map(configured_name, stage.cluster.nodes)))
    name = f"renamed-{stage.started:.0f}"
    original = stage.cluster.any_answering().api.get("cluster-name")["name"]
    stage.cluster.any_answering().api.ask("PUT", "cluster-name", {"name": name})

    workload, _, left, whole = _through(stage, stopped_whole(stage.cluster, stop=(a, b, c), start=(c, b, a)))

    said = [str(node.api.get("cluster-name")["name"]) for node in stage.cluster.nodes]
    files = (file for member in stage.stack.config_files.values() for file in member)
    is_behind = not listens(files).lacks(MANAGEMENT)
    names = (*said, *(sorted(logged_in(stage, clock.now()).names or {""}) if is_behind else ()))
    stage.cluster.any_answering().api.ask("PUT", "cluster-name", {"name": original})
    return Seen(
        workload.history,
        left,
        whole,
        names=(name, *names),
        configured_names=configured,
        management_at_the_vip=is_behind,
    )


def the_first_stopped_starts_and_the_last_one_joins_in_time(stage: Stage) -> Seen:
    a, b, c = stage.cluster.nodes
    lonely: list[Lonely] = []
    whole_stop = stopped_whole(stage.cluster, stop=(a, b, c), start=(a, b, c))

    def start_the_first_alone() -> None:
        started = clock.now()
        start_in_order((a,))
        try:
            lonely.append(watched_alone(a, started))
        finally:
            start_in_order((c, b))

    title = "whole cluster stopped in the order 123, first 1 started alone, then 3 and 2"
    fault = dataclasses.replace(whole_stop, title=title, heal=start_the_first_alone)
    workload, _, left, whole = _through(stage, fault)
    return Seen(workload.history, left, whole, lonely=lonely[0])


def everything_is_killed_at_once(stage: Stage) -> Seen:
    workload, transient, left, whole = _through(stage, killed_whole(stage.cluster), transient=TRANSIENT)
    return Seen(workload.history, left, whole, transient_before=transient)


def _through(stage: Stage, fault: Fault, transient: int = 0) -> tuple[Workload, int, dict[str, int], float]:
    """Load, parked messages, the fault, and what is left of the parked ones afterwards."""
    first = stage.cluster.nodes[0]
    parked = (stage.mirrored("parked.ha", home=first), stage.cluster.declare("parked.plain", home=first))
    workload = stage.workload(stage.mirrored("ha.load", home=first), stage.quorum("quorum.load", home=first))
    workload.prepare()
    for queue in parked:
        workload.publish_some(queue, PERSISTENT, stream=f"parked.{queue}")
        if transient:
            workload.publish_some(queue, transient, stream=f"transient.{queue}", persistent=False)

    for queue in parked:
        stage.cluster.await_messages(queue, PERSISTENT + transient)
    with workload.running():
        with stage.chaos.inject(fault):
            pass
        whole = clock.now() - max(
            e.at + float(str(e.data.get("took", 0))) for e in stage.events if e.kind == "fault.healed"
        )
        left = {queue: stage.cluster.settled_messages(queue, first) for queue in parked}
        for queue in parked:
            workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    workload.leave_out(lambda stream: stream.startswith("transient."))
    return workload, transient, left, whole


def configured_name(node: Node) -> str:
    """The cluster's name in the node's own configuration as it runs, whichever file says it; empty if none does."""
    name = 'rabbit_data_coercion:to_binary(application:get_env(rabbit, cluster_name, ""))'
    said = node.containers.must(node.service, "rabbitmqctl", "eval", f"base64:encode({name}).")
    if (found := A_BINARY.search(said)) is None:
        raise ToolFailed(f"{node} does not tell its configured cluster_name: {said.strip()[:100]!r}")
    return base64.b64decode(found[1] or "").decode(errors="replace")
