"""One broker's management API (HTTP), asked with short time-outs: while a silent cut is unnoticed it hangs on every node."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests

from pytest_rmqha.adapters import http
from pytest_rmqha.errors import NobodyListens, ToolFailed

JSON = Any


class NoAnswer(ToolFailed):
    """The node's API is not reachable or does not answer in time."""


class Refused(NoAnswer, NobodyListens):
    """The node's API port refuses connections."""


def _name(text: str) -> str:
    return quote(text, safe="")


class Management:
    """The API of one node. ``user`` needs the administrator tag. Times in seconds."""

    def __init__(self, host: str, user: str, password: str, port: int = 15672, timeout: float = 3) -> None:
        self.base = f"http://{host}:{port}/api"
        self.timeout = timeout
        self._auth = (user, password)

    def ask(self, method: str, path: str, body: JSON = None, timeout: float | None = None) -> JSON:
        __tracebackhide__ = True  # a body may hold a password; pytest would print it
        limit = timeout or self.timeout
        try:
            answer = http.ask(method, f"{self.base}/{path}", auth=self._auth, json=body, timeout=(min(limit, 2), limit))
        except requests.RequestException as error:
            kind = Refused if http.is_refusal(error) else NoAnswer
            raise kind(f"{method} {self.base}/{path}: {type(error).__name__}") from error
        if answer.status_code == 404:
            # A booting broker listens before it serves anything. Its 404 is plain text or, a moment later, JSON; but a list
            # (nodes, queues, …) can't be missing, only an object in one can.
            if "/" not in path or not answer.headers.get("content-type", "").startswith("application/json"):
                raise NoAnswer(f"{method} {self.base}/{path}: listens, and serves nothing yet")
            raise KeyError(path)
        if answer.status_code >= 400:
            raise ToolFailed(f"{method} {self.base}/{path}: {answer.status_code} {answer.text[:300]}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ToolFailed(f"{method} {self.base}/{path}: no JSON: {answer.text[:300]!r}") from error

    def get(self, path: str, timeout: float | None = None) -> JSON:
        return self.ask("GET", path, timeout=timeout)

    def nodes(self) -> Sequence[Mapping[str, JSON]]:
        return self.get("nodes")  # type: ignore[no-any-return]

    def queue(self, vhost: str, name: str) -> Mapping[str, JSON]:
        return self.get(f"queues/{_name(vhost)}/{_name(name)}")  # type: ignore[no-any-return]

    def queues(self, vhost: str | None = None) -> Sequence[Mapping[str, JSON]]:
        return self.get("queues" if vhost is None else f"queues/{_name(vhost)}")  # type: ignore[no-any-return]

    def definitions(self) -> Mapping[str, JSON]:
        return self.get("definitions", timeout=10)  # type: ignore[no-any-return]

    def put_vhost(self, vhost: str) -> None:
        self.ask("PUT", f"vhosts/{_name(vhost)}", {}, timeout=15)

    def delete_vhost(self, vhost: str) -> None:
        with contextlib.suppress(KeyError):
            self.ask("DELETE", f"vhosts/{_name(vhost)}", timeout=20)

    def put_permissions(self, vhost: str, user: str) -> None:
        self.ask(
            "PUT",
            f"permissions/{_name(vhost)}/{_name(user)}",
            {"configure": ".*", "write": ".*", "read": ".*"},
            timeout=15,
        )

    def put_user(self, user: str, password: str, tags: str = "") -> None:
        __tracebackhide__ = True
        self.ask("PUT", f"users/{_name(user)}", {"password": password, "tags": tags}, timeout=15)

    def put_policy(
        self, vhost: str, name: str, pattern: str, definition: Mapping[str, JSON], apply_to: str = "queues"
    ) -> None:
        body = {"pattern": pattern, "definition": dict(definition), "apply-to": apply_to, "priority": 1}
        self.ask("PUT", f"policies/{_name(vhost)}/{_name(name)}", body, timeout=15)

    def put_queue(
        self, vhost: str, name: str, arguments: Mapping[str, JSON], durable: bool = True, node: str | None = None
    ) -> None:
        body: dict[str, JSON] = {"durable": durable, "auto_delete": False, "arguments": dict(arguments)}
        if node is not None:
            body["node"] = node
        self.ask("PUT", f"queues/{_name(vhost)}/{_name(name)}", body, timeout=15)

    def put_exchange(self, vhost: str, name: str, kind: str = "direct") -> None:
        self.ask("PUT", f"exchanges/{_name(vhost)}/{_name(name)}", {"type": kind, "durable": True}, timeout=15)

    def put_binding(self, vhost: str, exchange: str, queue: str, key: str) -> None:
        self.ask(
            "POST", f"bindings/{_name(vhost)}/e/{_name(exchange)}/q/{_name(queue)}", {"routing_key": key}, timeout=15
        )

    def queue_action(self, vhost: str, name: str, action: str) -> None:
        """``sync`` or ``cancel_sync``."""
        self.ask("POST", f"queues/{_name(vhost)}/{_name(name)}/actions", {"action": action}, timeout=15)

    def connections(self) -> Sequence[Mapping[str, JSON]]:
        return self.get("connections")  # type: ignore[no-any-return]
