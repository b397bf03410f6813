"""Steady state: the one description of "whole", asked before and after every scenario.

``problems`` answers with sentences; an empty list is steady. Nothing is repaired here and nothing is excused.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pytest_rmqha.balancers import Balancer
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.links import Links
from pytest_rmqha.replicas import Replicas
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import Budget, await_match

NO_CHECK = "no"
"""The first word of haproxy's "no check"."""


@dataclass(frozen=True)
class SteadyState:
    """Everything that has to be whole. ``vip`` and ``links`` are None where the topology has none."""

    cluster: Cluster
    balancers: tuple[Balancer, ...]
    vip: Vip | None
    links: Links | None

    def problems(self) -> list[str]:
        looks: list[Callable[[], list[str]]] = [self._members, self._queues, self._metadata, self._vip]
        looks += [lambda b=b: self._backends(b) for b in self.balancers]  # type: ignore[misc]
        if self.vip is not None:
            looks += [lambda b=b: _standing_by(b) for b in self.balancers]  # type: ignore[misc]
        if self.links is not None:
            looks.append(self.links.problems)
        with ThreadPoolExecutor(max_workers=len(looks)) as pool:
            return [problem for found in pool.map(_told, looks) for problem in found]

    def wait(self, *, within: Budget, error: type[Exception], what: str) -> None:
        """Wait until nothing is amiss; otherwise raise ``error`` naming what still is."""
        await_match(
            self.problems,
            lambda problems: not problems,
            what=what,
            within=within,
            every=0.3,
            error=error,
            ignore=(HarnessError,),
        )

    def _members(self) -> list[str]:
        everybody = {n.name for n in self.cluster.nodes}
        found: list[str] = []
        for node in self.cluster.nodes:
            if node.state() != "running":
                found.append(f"container of {node} is {node.state()}")
                continue
            found += _told(lambda node=node: _view(node, everybody), f"{node}: ")  # type: ignore[misc]
        return found

    def _queues(self) -> list[str]:
        node = self.cluster.any_answering()
        running = node.running_peers()
        found: list[str] = []
        for queue in node.api.queues():
            replicas, name = Replicas.of(queue), f"queue {queue['name']} in {queue['vhost']}"
            if replicas.state != "running" or replicas.leader not in running:
                found.append(f"{name} is {replicas.state} with leader {replicas.leader}")
            if "state" not in queue:  # the leader in the record may be none: only it tells a state
                found.append(f"{name}: nobody leads it, or its leader {replicas.leader} has not spoken yet")
            if missing := replicas.members - replicas.in_sync:
                found.append(f"{name}: replicas on {', '.join(sorted(missing))} not in sync")
            found += _replica_count(queue, replicas, len(self.cluster.nodes), name)
        return found

    def _metadata(self) -> list[str]:
        digests = {str(node): self.cluster.definitions_digest(node) for node in self.cluster.nodes}
        if len(set(digests.values())) > 1:
            return ["definitions differ between nodes: " + ", ".join(f"{n} {d[:8]}" for n, d in digests.items())]
        return []

    def _vip(self) -> list[str]:
        if self.vip is None:
            return []
        holders = self.vip.holders()
        return (
            [] if len(holders) == 1 else [f"{self.vip.address} has {len(holders)} holders: {[str(h) for h in holders]}"]
        )

    def _backends(self, balancer: Balancer) -> list[str]:
        states = balancer.backends()
        if not states:
            return [f"{balancer} has no backends"]
        blind = sorted(server for server, state in states.items() if state == NO_CHECK)
        down = sorted(server for server, state in states.items() if state not in ("UP", NO_CHECK))
        found = [f"{balancer} has {', '.join(down)} not UP"] if down else []
        if unchecked := balancer.unchecked():
            found.append(f"{balancer} has not looked at {', '.join(sorted(unchecked))} yet")
        return found + ([f"{balancer} never looks at {', '.join(blind)} (not checked)"] if blind else [])


def _standing_by(balancer: Balancer) -> list[str]:
    """A dead keepalived on the balancer that does not hold the VIP is seen by nobody until it would have to take over."""
    return [] if balancer.runs("keepalived") else [f"keepalived does not run on {balancer}"]


def _view(node: Node, everybody: set[str]) -> list[str]:
    view, found = node.view(), []
    running = {name for name, n in view.items() if n.get("running")}
    if running != everybody:
        found.append(f"sees {sorted(running)} running instead of {sorted(everybody)}")
    for name, seen in view.items():
        # Just after a boot, or with statistics switched off, the keys are missing: nobody has looked yet.
        if seen.get("running") and not {"partitions", "mem_alarm", "disk_free_alarm"} <= seen.keys():
            found.append(f"tells neither partitions nor alarms of {name} yet")
        if seen.get("partitions"):
            found.append(f"sees {name} partitioned from {seen['partitions']}")
        found += [f"sees a {alarm} alarm on {name}" for alarm in ("mem", "disk_free") if seen.get(f"{alarm}_alarm")]
    return found


def _replica_count(queue: object, replicas: Replicas, nodes: int, name: str) -> list[str]:
    """A quorum queue, and a mirrored one with ha-mode all, needs a replica on every node (at most; 1 of 1 in single mode)."""
    assert isinstance(queue, dict)
    policy = queue.get("effective_policy_definition") or {}
    wanted = nodes if queue.get("type") == "quorum" or policy.get("ha-mode") == "all" else 1
    if policy.get("ha-mode") == "exactly":
        wanted = min(nodes, int(policy.get("ha-params", 1)))
    wanted = int((queue.get("arguments") or {}).get("x-quorum-initial-group-size", wanted))
    if len(replicas.members) < wanted:
        return [f"{name} has {len(replicas.members)} replicas of {wanted}"]
    return []


def _told(look: Callable[[], list[str]], prefix: str = "") -> list[str]:
    """A look that fails is a problem of its own, told in one sentence."""
    try:
        return [prefix + problem for problem in look()]
    except (HarnessError, KeyError) as error:
        return [f"{prefix}{type(error).__name__}: {error}"]
