"""The brokers, live: questions and verbs on each node, and on the cluster as a whole.

Questions go to the management API of a named node (4 ms), never to the command line (0.9 s and most of a core), except
for the verbs that only the command line has (``stop_app``, ``start_app``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pytest_rmqha.clock import now
from pytest_rmqha.errors import HarnessError, InvariantNotUpheld, ToolFailed
from pytest_rmqha.outside import BrokerApi, Containers
from pytest_rmqha.replicas import Replicas
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import Budget, await_match, seconds

T = TypeVar("T")
GRACE, KILLED = 30, 137
VOLATILE = (
    "rabbit_version", "rabbitmq_version", "product_name", "product_version", "rabbitmq_definition_format",
    # From 4.0 on, said of the exporting node: a cluster that nobody has named is called after whoever is asked.
    "original_cluster_name", "explanation",
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One broker. ``name`` is its Erlang node name (rabbit@host), ``service`` its compose service."""

    service: str
    hostname: str
    address: str
    api: BrokerApi = field(repr=False, compare=False)
    containers: Containers = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return f"rabbit@{self.hostname}"

    def __str__(self) -> str:
        return self.service

    def kill(self) -> None:
        """SIGKILL for every process of the node: a crash of the program, not a power loss (the page cache survives)."""
        self.containers.kill(self.service)

    def stop(self) -> None:
        """SIGTERM, as the service manager does; up to 30 s, then SIGKILL."""
        self.containers.stop(self.service, grace=GRACE)

    def stop_by_itself(self) -> None:
        """As ``stop``; ToolFailed when it did not end within the 30 s and was killed instead, which is another fault."""
        self.stop()
        if self.containers.exit_code(self.service) == KILLED:
            raise ToolFailed(
                f"{self} did not end within {GRACE} s of a SIGTERM, and was killed: nobody stopped it in good order"
            )

    def start(self) -> None:
        self.containers.start(self.service)

    def pause(self) -> None:
        """Freeze every process of the node; its connections stay."""
        self.containers.pause(self.service)

    def unpause(self) -> None:
        self.containers.unpause(self.service)

    def stop_app(self) -> None:
        self.containers.must(self.service, "rabbitmqctl", "stop_app")

    def start_app(self) -> None:
        self.containers.must(self.service, "rabbitmqctl", "start_app")

    def tick_time(self) -> float:
        """Seconds of silence after which Erlang takes a peer for gone, give or take a quarter (``net_ticktime``; 0.9 s to ask)."""
        said = self.containers.must(self.service, "rabbitmqctl", "eval", "net_kernel:get_net_ticktime().")
        number = re.search(r"\d+", said)
        if number is None:
            raise ToolFailed(f"{self} does not tell its tick time: {said.strip()[:100]!r}")
        return float(number[0])

    def state(self) -> str:
        return self.containers.state(self.service)

    def answers(self) -> bool:
        """Does its management API answer a call that stays local?"""
        try:
            self.api.get("whoami", timeout=1)
        except (HarnessError, KeyError):
            return False
        return True

    def view(self) -> Mapping[str, Mapping[str, Any]]:
        """What this node says of every node: name -> running, partitions, alarms."""
        return {str(n["name"]): n for n in self.api.nodes()}

    def running_peers(self) -> frozenset[str]:
        return frozenset(name for name, n in self.view().items() if n.get("running"))


@dataclass(frozen=True)
class Cluster:
    """All brokers of the run. ``vhost`` is the one that the current scenario has to itself."""

    nodes: tuple[Node, ...]
    timeline: Timeline = field(repr=False, compare=False)
    vhost: str = "/"

    def node(self, name: str) -> Node:
        """By service, host name or Erlang node name."""
        for node in self.nodes:
            if name in (node.service, node.hostname, node.name):
                return node
        raise ToolFailed(f"no broker is called {name!r}; there are {', '.join(str(n) for n in self.nodes)}")

    def others(self, *excluded: Node) -> tuple[Node, ...]:
        return tuple(n for n in self.nodes if n not in excluded)

    def any_answering(self, excluded: Sequence[Node] = ()) -> Node:
        for node in self.others(*excluded):
            if node.answers():
                return node
        raise ToolFailed(
            f"no broker's management API answers (asked {', '.join(str(n) for n in self.others(*excluded))})"
        )

    def replicas(self, queue: str, via: Node | None = None) -> Replicas:
        return Replicas.of((via or self.any_answering()).api.queue(self.vhost, queue))

    def leader_of(self, queue: str) -> Node:
        leader = self.replicas(queue).leader
        if leader is None:
            raise ToolFailed(f"queue {queue} has no leader now")
        return self.node(leader)

    def await_leader(self, queue: str, *, other_than: Node, within: Budget) -> Node:
        """Wait until another node than ``other_than`` leads the queue, seen from a node that isn't ``other_than``."""

        def ask() -> str | None:
            via = self.any_answering(excluded=(other_than,))
            replicas = self.replicas(queue, via)
            leads = replicas.leader if replicas.state == "running" else None
            return leads if leads is None or leads in via.running_peers() else None

        leader = self._await(
            ask,
            lambda leader: leader not in (None, other_than.name),
            what=f"a leader of {queue} other than {other_than}",
            within=within,
            every=0.1,
            ignore=(ToolFailed, KeyError),
            error=InvariantNotUpheld,
        )
        self.timeline.add("leader", queue, str(leader))
        assert leader is not None
        return self.node(leader)

    def await_synced(self, queue: str, *, copies: int, within: Budget = seconds(30)) -> Replicas:
        """Wait until ``copies`` replicas, the leader among them, are in sync."""
        return self._await(
            lambda: self.replicas(queue),
            lambda r: len(r.in_sync) >= copies and r.in_sync >= r.members,
            what=f"{copies} replicas of {queue} in sync",
            within=within,
            ignore=(ToolFailed, KeyError),
        )

    def await_rejoined(self, node: Node, *, within: Budget = seconds(60)) -> None:
        """Wait until every node sees every node running, ``node``'s own view included."""
        everybody = frozenset(n.name for n in self.nodes)
        self._await(
            lambda: [n.running_peers() for n in self.nodes],
            lambda views: all(v == everybody for v in views),
            what=f"{node} back in the view of every node",
            within=within,
            ignore=(ToolFailed,),
        )

    def await_members(self, queue: str, *wanted: Node, within: Budget = seconds(20)) -> None:
        """Wait until each of ``wanted`` has a replica of the queue, in sync or not."""
        names = {node.name for node in wanted}
        self._await(
            lambda: self.replicas(queue).members,
            lambda members: names <= members,
            what=f"replicas of {queue} on {', '.join(map(str, wanted))}",
            within=within,
            ignore=(ToolFailed, KeyError),
        )

    def await_messages(self, queue: str, count: int, *, via: Node | None = None, within: Budget = seconds(15)) -> None:
        """Wait until the queue reports exactly ``count`` messages (its statistics lag by the collection interval)."""
        self._await(
            lambda: self.replicas(queue, via).messages,
            lambda n: n == count,
            what=f"{count} messages in {queue}",
            within=within,
            ignore=(ToolFailed, KeyError),
        )

    def settled_messages(self, queue: str, via: Node) -> int:
        """The queue's count once every look of 5.5 s (two collection intervals of 2 s and more) has said the same.

        A queue without statistics has not said anything yet: that is not zero.
        """
        looked: list[tuple[float, int | None]] = []

        def ask() -> int | None:
            looked.append((now(), self.replicas(queue, via).messages))
            recent = [count for at, count in looked if at >= looked[-1][0] - 5.5]
            is_settled = looked[-1][0] - looked[0][0] >= 5.5 and len(recent) >= 4 and len(set(recent)) == 1
            return looked[-1][1] if is_settled else None

        count = self._await(
            ask,
            lambda n: n is not None,
            what=f"a settled count of {queue}",
            within=seconds(30),
            every=0.5,
            ignore=(ToolFailed, KeyError),
        )
        assert count is not None
        return count

    def clients(self, *, excluded: Sequence[Node] = ()) -> Mapping[str, str]:
        """connection name -> Erlang node that it is connected to, as a node that isn't excluded tells it."""
        found = self.any_answering(excluded).api.get("connections")
        return {str(c.get("client_properties", {}).get("connection_name", "")): str(c.get("node")) for c in found}

    def policy(self, name: str, pattern: str, **definition: Any) -> None:
        """Set a policy in the scenario's vhost; keys with ``_`` for ``-``: ``ha_mode="all"``."""
        keys = {key.replace("_", "-"): value for key, value in definition.items()}
        self.any_answering().api.put_policy(self.vhost, name, pattern, keys)

    def declare(self, queue: str, *, home: Node | None = None, durable: bool = True, **arguments: Any) -> str:
        """Declare a queue in the scenario's vhost, its leader on ``home`` if given; returns its name.

        It asks for its home itself: a configured ``queue_master_locator`` or ``queue_leader_locator`` would put it anywhere.
        """
        via = home or self.any_answering()
        keys = {key.replace("_", "-"): value for key, value in arguments.items()}
        if home is not None and keys.get("x-queue-type", "classic") == "classic":
            keys["x-queue-master-locator"] = "client-local"
        elif home is not None and keys.get("x-queue-type") == "quorum":
            keys["x-queue-leader-locator"] = "client-local"
        via.api.put_queue(self.vhost, queue, keys, durable=durable, node=home.name if home else None)
        if home is not None:
            self._await(
                lambda: self.replicas(queue).leader,
                lambda leader: leader == home.name,
                what=f"{queue} led by {home}",
                within=seconds(10),
                ignore=(ToolFailed, KeyError),
            )
        return queue

    def definitions_digest(self, node: Node) -> str:
        """SHA-256 of one node's own export without its version fields, lists in a fixed order."""
        export = {k: v for k, v in node.api.definitions().items() if k not in VOLATILE}
        ordered = {k: sorted(v, key=_sort_key) if isinstance(v, list) else v for k, v in export.items()}
        return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()

    def _await(self, ask: Callable[[], T], matches: Callable[[T], bool], *, what: str, within: Budget, **how: Any) -> T:
        """Every wait of the cluster's is one for the brokers, and on the timeline."""
        with self.timeline.waiting(what):
            return await_match(ask, matches, what=what, within=within, **how)

    def at_once(self, verb: Callable[[Node], object], nodes: Sequence[Node] | None = None) -> None:
        """Do the same to several nodes (none named: to all) at the same moment, one thread each; the first error is raised
        afterwards.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=max(1, len(self.nodes))) as pool:
            for done in [pool.submit(verb, node) for node in (self.nodes if nodes is None else nodes)]:
                done.result()


def _sort_key(value: object) -> str:
    return json.dumps(value, sort_keys=True)
