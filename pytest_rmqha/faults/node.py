"""Faults of one broker. ``in_effect`` and ``is_gone`` ask the container and the node itself, never what we told it."""

from __future__ import annotations

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.waiting import seconds


def _back(cluster: Cluster, node: Node) -> bool:
    """Every node sees every node, ``node``'s own view included."""
    everybody = frozenset(n.name for n in cluster.nodes)
    try:
        return node.state() == "running" and all(n.running_peers() == everybody for n in cluster.nodes)
    except HarnessError:
        return False


def _noticed(cluster: Cluster, node: Node) -> bool:
    """The node's processes are dead and a survivor says that the node is not running."""
    if node.state() != "exited":
        return False
    try:
        return node.name not in cluster.any_answering(excluded=(node,)).running_peers()
    except HarnessError:
        return len(cluster.nodes) == 1


def _start(node: Node) -> None:
    if node.state() != "running":
        node.start()


def killed(cluster: Cluster, node: Node) -> Fault:
    """SIGKILL. Gone when every node sees it running again (9–13 s under load)."""
    return Fault(
        title=f"{node} killed (SIGKILL)",
        inject=node.kill,
        heal=lambda: _start(node),
        in_effect=lambda: _noticed(cluster, node),
        is_gone=lambda: _back(cluster, node),
        within=seconds(20),
        gone_within=seconds(60),
        targets=(node.service,),
        undone=lambda: node.state() == "running",
    )


def stopped(cluster: Cluster, node: Node) -> Fault:
    """SIGTERM, as the service manager stops it: the broker closes its connections and hands its queues over."""
    return Fault(
        title=f"{node} stopped (SIGTERM)",
        inject=node.stop_by_itself,
        heal=lambda: _start(node),
        in_effect=lambda: _noticed(cluster, node),
        is_gone=lambda: _back(cluster, node),
        within=seconds(30),
        gone_within=seconds(60),
        targets=(node.service,),
        undone=lambda: node.state() == "running",
    )


def app_stopped(cluster: Cluster, node: Node) -> Fault:
    """``rabbitmqctl stop_app``: the Erlang node stays reachable, the broker in it stops."""

    def in_effect() -> bool:
        try:
            return (
                not node.answers()
                and node.state() == "running"
                and (
                    len(cluster.nodes) == 1 or node.name not in cluster.any_answering(excluded=(node,)).running_peers()
                )
            )
        except HarnessError:
            return False

    def heal() -> None:
        if not node.answers():
            node.start_app()

    return Fault(
        title=f"{node} stop_app",
        inject=node.stop_app,
        heal=heal,
        in_effect=in_effect,
        is_gone=lambda: _back(cluster, node),
        within=seconds(20),
        gone_within=seconds(60),
        targets=(node.service,),
        undone=lambda: node.state() == "running",
    )


def frozen(cluster: Cluster, node: Node) -> Fault:
    """All processes frozen, connections stay. Seen when the engine says paused and the node's own API is mute."""
    return Fault(
        title=f"{node} frozen",
        inject=node.pause,
        heal=node.unpause,
        in_effect=lambda: node.state() == "paused" and not node.answers(),
        is_gone=lambda: _back(cluster, node),
        within=seconds(10),
        gone_within=seconds(60),
        targets=(node.service,),
        undone=lambda: node.state() == "running",
    )


def restarted(cluster: Cluster, node: Node) -> Fault:
    """Stopped and at once asked to start again: the fault is the gap; it is healed by itself."""
    return Fault(
        title=f"{node} restarted",
        inject=node.stop_by_itself,
        heal=lambda: _start(node),
        in_effect=lambda: node.state() == "exited",
        is_gone=lambda: _back(cluster, node),
        within=seconds(30),
        gone_within=seconds(60),
        targets=(node.service,),
        undone=lambda: node.state() == "running",
    )
