"""One node's management API answered from memory. Import it as ``tests.unit.fakes``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from pytest_rmqha.errors import NobodyListens, ToolFailed


@dataclass
class Objects:
    """What all nodes of a cluster know: vhosts, and queues that were put."""

    vhosts: set[str] = field(default_factory=lambda: {"/"})
    queues: list[dict[str, Any]] = field(default_factory=list)


class FakeApi:
    """One node's management API. ``mute``: nothing answers; ``refuses``: nobody listens. ``seen``: the peers it sees; ``wrote``: what was put.

    ``found`` are queues as a test tells them; what is put is kept in ``objects``, which the nodes of a cluster share.
    """

    def __init__(self, peers: Sequence[str], objects: Objects | None = None) -> None:
        self.mute = self.refuses = False
        self.objects = objects or Objects()
        self.seen: dict[str, dict[str, Any]] = {
            name: {"name": name, "running": True, "partitions": [], "mem_alarm": False, "disk_free_alarm": False}
            for name in peers
        }
        self.found: list[dict[str, Any]] = []
        self.exported: dict[str, Any] = {"users": [], "queues": []}
        self.wrote: list[tuple[Any, ...]] = []
        self.cluster_name = "rabbit@fake"
        self.connected: list[dict[str, Any]] = []

    def _asked(self) -> None:
        if self.refuses:
            raise NobodyListens("refused")
        if self.mute:
            raise ToolFailed("no answer")

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        self._asked()
        return list(self.seen.values())

    def queue(self, vhost: str, name: str) -> Mapping[str, Any]:
        self._asked()
        for queue in self.queues():
            if (queue["vhost"], queue["name"]) == (vhost, name):
                return queue
        raise KeyError(name)

    def queues(self, vhost: str | None = None) -> Sequence[Mapping[str, Any]]:
        self._asked()
        there = [*self.found, *self.objects.queues]
        if vhost is not None and vhost not in {*self.objects.vhosts, *(queue["vhost"] for queue in there)}:
            raise KeyError(vhost)
        return [queue for queue in there if vhost in (None, queue["vhost"])]

    def definitions(self) -> Mapping[str, Any]:
        self._asked()
        return {**self.exported, "vhosts": [{"name": name} for name in sorted(self.objects.vhosts)]}

    def get(self, path: str, timeout: float | None = None) -> Any:
        self._asked()
        kind, _, name = path.partition("/")
        if kind == "vhosts" and unquote(name) not in self.objects.vhosts:
            raise KeyError(path)
        return self.connected if path == "connections" else {"name": unquote(name) or self.cluster_name}

    def ask(self, method: str, path: str, body: Any = None, timeout: float | None = None) -> Any:
        self._asked()
        return None

    def _write(self, *what: Any) -> None:
        self._asked()
        self.wrote.append(what)

    def put_vhost(self, vhost: str) -> None:
        self._write("put vhost", vhost)
        self.objects.vhosts.add(vhost)

    def delete_vhost(self, vhost: str) -> None:
        self._write("delete vhost", vhost)
        self.objects.vhosts.discard(vhost)
        self.objects.queues[:] = [queue for queue in self.objects.queues if queue["vhost"] != vhost]

    def put_permissions(self, vhost: str, user: str) -> None:
        self._write("permissions", vhost, user)

    def put_user(self, user: str, password: str, tags: str = "") -> None:
        self._write("user", user)

    def put_policy(
        self, vhost: str, name: str, pattern: str, definition: Mapping[str, Any], apply_to: str = "queues"
    ) -> None:
        self._write("policy", vhost, name, pattern, dict(definition))

    def put_queue(
        self, vhost: str, name: str, arguments: Mapping[str, Any], durable: bool = True, node: str | None = None
    ) -> None:
        self._write("queue", vhost, name, dict(arguments), node)
        there = {queue["name"]: queue for queue in self.queues(vhost)}
        asked = {"durable": durable, "arguments": dict(arguments)}
        if name not in there:
            home = node or next(iter(self.seen))
            kind = {"type": arguments.get("x-queue-type", "classic"), "leader": home, "node": home, "state": "running"}
            if kind["type"] == "quorum":
                kind |= {"members": list(self.seen), "online": list(self.seen)}
            self.objects.queues.append({"name": name, "vhost": vhost, **asked, **kind})
        elif any(there[name].get(key, value) != value for key, value in asked.items()):
            raise ToolFailed(f"inequivalent arguments for queue {name}")

    def put_exchange(self, vhost: str, name: str, kind: str = "direct") -> None:
        if kind not in ("direct", "fanout", "topic", "headers"):
            raise ToolFailed(f"invalid exchange type {kind}")
        self._write("exchange", vhost, name)

    def put_binding(self, vhost: str, exchange: str, queue: str, key: str) -> None:
        self._write("binding", vhost, exchange, queue, key)

    def queue_action(self, vhost: str, name: str, action: str) -> None:
        if action not in ("sync", "cancel_sync"):
            raise ToolFailed(f"unknown action {action}")
        self.queue(vhost, name)
        self._write("action", vhost, name, action)
