"""Who is connected where: a balancer deals connections out, so a client on a certain broker has to be looked for."""

from __future__ import annotations

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.workload import Workload

MOST = 20


def someone_on(
    node: Node, queue: str, workload: Workload, cluster: Cluster, *, patience: float | None = None
) -> tuple[str, ...]:
    """Publishers to a queue led elsewhere whose connection is on ``node``; () if the balancer sends none of them there.

    ``patience``: seconds that they wait for a confirm before they connect anew by themselves (None: as the client has it).
    The API tells of a connection up to 5 s after it is there, so as many are opened at once as there are brokers.
    """
    deal = len(cluster.nodes)
    for first in range(0, MOST, deal):
        streams = [f"elsewhere.{number}" for number in range(first, first + deal)]
        for stream in streams:
            workload.wire.ask("publish", stream=stream, queue=queue, rate=20, window=100, patience=patience)
        seen = await_match(
            lambda: cluster.clients(excluded=(node,)),
            lambda where, streams=streams: where.keys() >= {*streams},
            what=f"the connections of {', '.join(streams)} in the API",
            within=seconds(10),
            every=0.1,
            ignore=(ToolFailed,),
        )
        if there := tuple(stream for stream in streams if seen[stream] == node.name):
            return there
    return ()
