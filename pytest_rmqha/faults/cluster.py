"""Faults of the whole cluster: everything stopped in an order and started in another, or killed at one moment."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.waiting import await_match, seconds


def _all_back(cluster: Cluster) -> bool:
    everybody = frozenset(n.name for n in cluster.nodes)
    try:
        return all(n.running_peers() == everybody for n in cluster.nodes)
    except HarnessError:
        return False


def _all_dead(cluster: Cluster) -> bool:
    return all(n.state() == "exited" for n in cluster.nodes)


def start_in_order(order: Sequence[Node]) -> None:
    """Request each start and go on when its container runs; nobody waits for a broker that waits for its peers."""
    for node in order:
        if node.state() != "running":
            node.start()


def stopped_whole(cluster: Cluster, *, stop: Sequence[Node], start: Sequence[Node]) -> Fault:
    """Stop one after the other, each fully down before the next; start in another order, the starts only requested."""

    def inject() -> None:
        for node in stop:
            node.stop_by_itself()
            await_match(node.state, lambda s: s == "exited", what=f"{node} stopped", within=seconds(40))

    names = "".join(n.service[-1] for n in stop) + " started " + "".join(n.service[-1] for n in start)
    return Fault(
        title=f"whole cluster stopped in the order {names}",
        inject=inject,
        heal=lambda: start_in_order(start),
        in_effect=lambda: _all_dead(cluster),
        is_gone=lambda: _all_back(cluster),
        within=seconds(10),
        gone_within=seconds(180),
        targets=tuple(n.service for n in cluster.nodes),
        undone=lambda: all(n.state() == "running" for n in cluster.nodes),
    )


def killed_whole(cluster: Cluster) -> Fault:
    """SIGKILL to every node at one moment: as a power cut looks to the programs, not to the disks (the page cache lives)."""
    return Fault(
        title="every broker killed at once",
        inject=lambda: cluster.at_once(Node.kill),
        heal=lambda: cluster.at_once(lambda n: n.start() if n.state() != "running" else None),
        in_effect=lambda: _all_dead(cluster),
        is_gone=lambda: _all_back(cluster),
        within=seconds(10),
        gone_within=seconds(180),
        targets=tuple(n.service for n in cluster.nodes),
        undone=lambda: all(n.state() == "running" for n in cluster.nodes),
    )
