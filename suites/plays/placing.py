"""Who is connected where: a balancer deals connections out, so a client on a certain broker has to be looked for."""

from __future__ import annotations

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.workload import Workload


def someone_on(node: Node, queue: str, workload: Workload, cluster: Cluster) -> tuple[str, ...]:
    """Publishers to a queue led elsewhere whose connection is on ``node``: more of them until the balancer sends one there."""

    for number in range(20):
        stream = f"elsewhere.{number}"
        workload.wire.ask("publish", stream=stream, queue=queue, rate=20, window=100)
        seen = await_match(
            lambda: cluster.clients(excluded=(node,)),
            lambda where, stream=stream: stream in where,
            what=f"the connection of {stream} in the API",
            within=seconds(10),
            every=0.1,
            ignore=(ToolFailed,),
        )
        if seen[stream] == node.name:
            return (stream,)
    return ()
