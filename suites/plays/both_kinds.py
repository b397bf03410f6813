"""A durable and a fleeting queue, exchange and binding of each: what lists of them before and after a restart can be compared."""

from __future__ import annotations

from pytest_rmqha.cluster import Cluster, Node

DURABLE, FLEETING = "durable", "fleeting"
KEPT = frozenset({"durable.queue", "durable.exchange", "durable.exchange→durable.queue"})
"""What a restart keeps: the durable objects, and the binding between two of them."""

Objects = frozenset[str]


def declare_both_kinds(cluster: Cluster, home: Node | None = None, fleeting_queue: bool = True) -> None:
    """Every exchange is bound to every queue. Without ``fleeting_queue`` the one that is not durable is left out."""
    via = home or cluster.any_answering()
    queues = (DURABLE, FLEETING) if fleeting_queue else (DURABLE,)
    for kind in queues:
        cluster.declare(f"{kind}.queue", home=home, durable=kind == DURABLE)
    for kind in (DURABLE, FLEETING):
        body = {"type": "direct", "durable": kind == DURABLE}
        via.api.ask("PUT", f"exchanges/{cluster.vhost}/{kind}.exchange", body, timeout=15)
        for queue in queues:
            via.api.put_binding(cluster.vhost, f"{kind}.exchange", f"{queue}.queue", "key")


def objects_of(node: Node, vhost: str) -> Objects:
    """What this node lists of them; a binding is ``exchange→queue``."""
    queues = [str(q["name"]) for q in node.api.queues(vhost)]
    exchanges = [str(e["name"]) for e in node.api.get(f"exchanges/{vhost}")]
    bindings = [f"{b['source']}→{b['destination']}" for b in node.api.get(f"bindings/{vhost}") if b["source"]]
    return frozenset(name for name in (*queues, *exchanges, *bindings) if name.startswith((DURABLE, FLEETING)))
