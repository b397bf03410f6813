"""The queues that the judged configuration brings, and stand-ins for them: their type and policies, in our own vhost.

Nothing is published to their queues and nothing of theirs is changed. One stand-in for each kind: what becomes of a queue
when its home dies is decided by its type, its replication arguments and what is in force of its policies, whatever vhost
they are in and however they are called. Limits: twelve kinds at most, those of most queues first; keys that drop or move
messages (TTL, length limits, dead-lettering) are left out, or a loss could not be told from a wish. A stream is looked at,
but has no stand-in: the load's consumers acknowledge and go on. Who has none is named in the verdict.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.lease import Stage
from pytest_rmqha.replicas import Replicas

OURS = "rmqha."
MOST = 12
PLAYED = ("classic", "quorum")
KEPT_ARGUMENTS = ("x-queue-type", "x-quorum-initial-group-size", "x-queue-mode", "x-max-priority")
KEPT_KEYS = ("ha-", "queue-m")
"""How the keys of a policy begin that replicate a queue, or say where it lives."""


@dataclass(frozen=True)
class Queue:
    """One durable, shared queue of theirs as a node's API shows it; ``in_force``: what its policies come to."""

    vhost: str
    name: str
    type: str
    arguments: Mapping[str, Any]
    policy: str
    replicas: Replicas
    in_force: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return json.dumps([self.type, self.kept_arguments, self.kept_policy], sort_keys=True)

    @property
    def kept_arguments(self) -> dict[str, Any]:
        """A type that its vhost or its node chose for it is stated, too."""
        stated = {} if self.type == "classic" else {"x-queue-type": self.type}
        return {key: value for key, value in self.arguments.items() if key in KEPT_ARGUMENTS} | stated

    @property
    def kept_policy(self) -> dict[str, Any]:
        return {key: value for key, value in self.in_force.items() if key.startswith(KEPT_KEYS)}

    def may_live_on(self, node: str) -> bool:
        """A policy that names nodes keeps the queue on these, and moves its leader there once a mirror is in sync."""
        return self.in_force.get("ha-mode") != "nodes" or node in (self.in_force.get("ha-params") or ())

    def needs(self, brokers: int) -> int:
        """Replicas without which it does not outlive its home: two, or for a Raft queue a majority and one."""
        return min(3 if self.type in ("quorum", "stream") else 2, brokers)

    def __str__(self) -> str:
        return f"{self.name} ({self.type}, vhost {self.vhost}, policy {self.policy or 'none'})"


def their_queues(cluster: Cluster) -> tuple[Queue, ...]:
    """Durable queues outside of our vhosts that no single connection owns."""
    found = cluster.any_answering().api.queues()
    return tuple(
        Queue(
            q["vhost"],
            q["name"],
            str(q.get("type", "classic")),
            q.get("arguments") or {},
            str(q.get("policy") or ""),
            Replicas.of(q),
            q.get("effective_policy_definition") or {},
        )
        for q in sorted(found, key=lambda q: (q["vhost"], q["name"]))
        if q.get("durable") and not q.get("exclusive") and not q.get("auto_delete") and not q["vhost"].startswith(OURS)
    )


def home_of_most(theirs: Sequence[Queue], nodes: Sequence[Node]) -> Node:
    """The node on which most kinds may have their home, of several the last: a policy may name the nodes of its queues."""
    kinds = {queue.kind: queue for queue in theirs if queue.type in PLAYED}.values()
    return max(reversed(nodes), key=lambda node: sum(queue.may_live_on(node.name) for queue in kinds))


def chosen(theirs: Sequence[Queue], home: str) -> tuple[Queue, ...]:
    """Those that get a stand-in led by ``home`` (Erlang node): the first of each kind. Empty if there is none."""
    played = [queue for queue in theirs if queue.type in PLAYED and queue.may_live_on(home)]
    kinds = [kind for kind, _ in Counter(queue.kind for queue in played).most_common(MOST)]
    return tuple(next(queue for queue in played if queue.kind == kind) for kind in kinds)


def without_stand_in(theirs: Sequence[Queue], stood_for: Sequence[Queue]) -> tuple[Queue, ...]:
    """Those of whose kind there is none: what becomes of them is not tried."""
    kinds = {queue.kind for queue in stood_for}
    return tuple(queue for queue in theirs if queue.kind not in kinds)


def beyond_the_most(untried: Sequence[Queue]) -> tuple[Queue, ...]:
    """Those that could have one, but for ``MOST`` and for the one home that all stand-ins have."""
    return tuple(queue for queue in untried if queue.type in PLAYED)


def why_none(theirs: Sequence[Queue], fleeting: int) -> str:
    """Why no queue of theirs can have a stand-in. ``fleeting``: how many more there are that are not durable."""
    if not theirs:
        others = f" ({fleeting} that are not durable die with their broker by design)" if fleeting else ""
        return (
            f"the configuration declares no durable queue{others}: name the queues in definitions.json, or in a "
            "topology.json beside it"
        )
    if any(queue.type in PLAYED for queue in theirs):
        return f"{listed(theirs)}: their policies name nodes of which none is here"
    return (
        f"{listed(theirs)}: the load here is for {' and '.join(PLAYED)} queues, so whether one of these outlives its home "
        "can't be said. G3 looks at their replicas"
    )


def listed(queues: Sequence[Queue]) -> str:
    more = f" and {len(queues) - 3} more" if len(queues) > 3 else ""
    return ", ".join(map(str, queues[:3])) + more


def fleeting_queues(cluster: Cluster) -> int:
    """Queues outside of our vhosts that are not durable."""
    found = cluster.any_answering().api.queues()
    return sum(not q.get("durable") and not q["vhost"].startswith(OURS) for q in found)


def stand_ins(stage: Stage, theirs: Sequence[Queue], home: Node) -> Mapping[str, Queue]:
    """name in our vhost -> the queue of theirs that it stands for, all led by ``home``. Empty if none can have one."""
    made: dict[str, Queue] = {}
    for queue in chosen(theirs, home.name):
        name = f"{queue.name}.{len(made)}" if queue.name in made else queue.name
        if queue.kept_policy:
            stage.cluster.policy(f"for-{name}", f"^{re.escape(name)}$", **queue.kept_policy)
        stage.cluster.declare(name, home=home, **queue.kept_arguments)
        made[name] = queue
    return made
