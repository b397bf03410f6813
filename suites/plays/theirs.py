"""The queues that the judged configuration brings, and stand-ins for them: their type and policies, in our own vhost.

Nothing is published to their queues and nothing of theirs is changed. Limits: stand-ins are made of the vhost that has
most of their durable queues, one for each kind (type, replication arguments, effective policy), four at most; keys that
drop or move messages (TTL, length limits, dead-lettering) are left out, or a loss could not be told from a wish. A stream is
looked at, but has no stand-in: the load's consumers acknowledge and go on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.lease import Stage
from pytest_rmqha.replicas import Replicas

OURS = "rmqha."
MOST = 4
PLAYED = ("classic", "quorum")
KEPT_ARGUMENTS = ("x-queue-type", "x-quorum-initial-group-size", "x-queue-mode", "x-max-priority")
NEUTRAL: Mapping[str, Any] = {"max-length": 100_000_000}
"""What is left of a policy without replication keys: it still hides the policies below it."""


@dataclass(frozen=True)
class Queue:
    """One durable, shared queue of theirs as a node's API shows it."""

    vhost: str
    name: str
    type: str
    arguments: Mapping[str, Any]
    policy: str
    replicas: Replicas

    @property
    def kind(self) -> str:
        kept = {key: value for key, value in self.arguments.items() if key in KEPT_ARGUMENTS}
        return json.dumps([self.type, kept, self.policy], sort_keys=True)

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
        )
        for q in sorted(found, key=lambda q: (q["vhost"], q["name"]))
        if q.get("durable") and not q.get("exclusive") and not q.get("auto_delete") and not q["vhost"].startswith(OURS)
    )


def stand_ins(stage: Stage, home: Node) -> Mapping[str, Queue]:
    """name in our vhost -> the queue of theirs that it stands for, all led by ``home``. Empty if they declare none."""
    theirs = their_queues(stage.cluster)
    if not theirs:
        return {}
    vhost = Counter(queue.vhost for queue in theirs).most_common(1)[0][0]
    for policy in stage.cluster.any_answering().api.get("policies"):
        if policy["vhost"] == vhost:
            _copy(policy, stage)
    chosen = {queue.kind: queue for queue in reversed(theirs) if queue.vhost == vhost and queue.type in PLAYED}
    made = {queue.name: queue for queue in list(chosen.values())[:MOST]}
    for name, queue in made.items():
        kept = {key: value for key, value in queue.arguments.items() if key in KEPT_ARGUMENTS}
        stage.cluster.declare(name, home=home, **kept)
    return made


def _copy(policy: Mapping[str, Any], stage: Stage) -> None:
    definition = {key: value for key, value in policy["definition"].items() if key.startswith(("ha-", "queue-m"))}
    body = {
        "pattern": policy["pattern"],
        "definition": definition or NEUTRAL,
        "apply-to": policy.get("apply-to", "all"),
        "priority": policy.get("priority", 0),
    }
    via = stage.cluster.any_answering().api
    via.ask("PUT", f"policies/{stage.cluster.vhost}/{policy['name'].replace('/', '%2F')}", body, timeout=15)
