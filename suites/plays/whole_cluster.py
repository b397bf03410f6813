"""The whole cluster goes down under load and comes back: three orders of one fault.

Beside the load lie parked messages in queues that nobody consumes, so that what a restart keeps can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent
from pytest_rmqha.faults.cluster import killed_whole, start_in_order, stopped_whole
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

PERSISTENT, TRANSIENT = 100, 40
WAITING = "Waiting for Mnesia tables"


@dataclass(frozen=True)
class Seen:
    """``left``: messages by parked queue after the restart. ``whole_after``: seconds from the last start to a whole cluster."""

    history: History
    left: dict[str, int]
    whole_after: float
    waited_alone: bool = False
    transient_before: int = 0
    names: tuple[str, ...] = ()


def the_last_stopped_starts_first(stage: Stage) -> Seen:
    a, b, c = stage.cluster.nodes
    name = f"renamed-{stage.started:.0f}"
    original = stage.cluster.any_answering().api.get("cluster-name")["name"]
    stage.cluster.any_answering().api.ask("PUT", "cluster-name", {"name": name})

    workload, _, left, whole = _through(stage, stopped_whole(stage.cluster, stop=(a, b, c), start=(c, b, a)))

    names = (*(str(n.api.get("cluster-name")["name"]) for n in stage.cluster.nodes), stage.name_through_the_vip())
    stage.cluster.any_answering().api.ask("PUT", "cluster-name", {"name": original})
    return Seen(workload.history, left, whole, names=(name, *names))


def the_first_stopped_starts_and_the_last_one_joins_in_time(stage: Stage) -> Seen:
    a, b, c = stage.cluster.nodes
    waited: list[bool] = []
    whole_stop = stopped_whole(stage.cluster, stop=(a, b, c), start=(a, b, c))

    def start_the_first_alone() -> None:
        start_in_order((a,))
        try:
            waited.append(_waits_for_its_peers(stage, a))
        finally:
            start_in_order((c, b))

    fault = Fault(
        title="whole cluster stopped in the order 123, first 1 started alone, then 3 and 2",
        inject=whole_stop.inject,
        heal=start_the_first_alone,
        in_effect=whole_stop.in_effect,
        is_gone=whole_stop.is_gone,
        within=whole_stop.within,
        gone_within=whole_stop.gone_within,
        targets=whole_stop.targets,
    )
    workload, _, left, whole = _through(stage, fault)
    return Seen(workload.history, left, whole, waited_alone=waited[:1] == [True])


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


def _waits_for_its_peers(stage: Stage, node: Node) -> bool:
    """The node says in its log that it waits, and does not listen.

    It takes 40 s to get there (measured on 3.10.8): it dials each dead peer several times first, 7 s each.
    """
    stage_started = clock.utc(stage.started)

    def says() -> bool:
        lines = node.containers.logs(node.service, 400).splitlines()
        return any(
            WAITING in line and line[:26] >= stage_started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:26] for line in lines
        )

    try:
        await_match(says, bool, what=f"{node} waiting for its peers", within=seconds(70))
    except BudgetSpent:
        return False
    return not node.answers()
