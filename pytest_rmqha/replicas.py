"""A queue's replicas: who leads it, who has a copy, which copies are in sync, as the management API tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Replicas:
    """A queue's replicas as one node reports them, as Erlang node names."""

    leader: str | None
    members: frozenset[str]
    in_sync: frozenset[str]
    state: str
    messages: int | None

    @staticmethod
    def of(queue: Mapping[str, Any]) -> Replicas:
        leader = queue.get("leader") or queue.get("node")
        if "members" in queue:
            members, in_sync = queue["members"], queue.get("online", [])
        else:
            members = [leader, *queue.get("slave_nodes", [])]
            in_sync = [leader, *queue.get("synchronised_slave_nodes", [])]
        return Replicas(
            leader,
            frozenset(m for m in members if m),
            frozenset(m for m in in_sync if m),
            str(queue.get("state", "running")),
            int(queue["messages"]) if "messages" in queue else None,
        )
