"""Verbs to roles: what the load client does when it is asked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from . import sabotage
from .connection import Target, open_blocking
from .consumer import Consumer, Idle, Prober
from .ledger import Ledger
from .meter import Meter
from .publisher import Publisher

PROTOCOL = 1
Answer = dict[str, Any]


class Refused(Exception):
    """The request can't be done as asked; its text goes back."""


class Session:
    """One load at a time: ``reset`` ends it and begins an empty one."""

    def __init__(self) -> None:
        self.target: Target | None = None
        self._begin()

    def _begin(self) -> None:
        sabotage.begin()
        self.ledger, self.meter, self.lock = Ledger(), Meter(), threading.Lock()
        self.publishers: dict[str, Publisher] = {}
        self.roles: dict[str, Consumer | Idle | Prober] = {}

    def do(self, verb: str, request: dict[str, Any]) -> Answer:
        verbs: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "hello": lambda _r: {"protocol": PROTOCOL, "monotonic": time.monotonic()},
            "open": self._open,
            "declare": self._declare,
            "publish": self._publish,
            "republish": self._republish,
            "consume": self._consume,
            "idle": self._idle,
            "probe": self._probe,
            "stop": self._stop,
            "progress": lambda _r: self._progress(),
            "drain": self._drain,
            "get": self._get,
            "dump": lambda _r: {"dump": {**self.ledger.dump(), **self.meter.dump()}},
            "reset": lambda _r: self._reset(),
        }
        if verb not in verbs:
            raise Refused(f"unknown verb {verb!r}; there are {', '.join(verbs)}, bye")
        return verbs[verb](request)

    def _at(self, request: dict[str, Any]) -> Target:
        if self.target is None:
            raise Refused("nothing is opened yet: ask 'open' first")
        return self.target.at(request.get("host"))

    def _open(self, r: dict[str, Any]) -> Answer:
        self.target = Target(
            r["host"], int(r.get("port", 5672)), r["user"], r["password"], r["vhost"], int(r.get("heartbeat", 20))
        )
        return {}

    def _declare(self, r: dict[str, Any]) -> Answer:
        connection = open_blocking(self._at(r), "declarer", self.meter)
        try:
            channel = connection.channel()
            for queue in r["queues"]:
                channel.queue_declare(
                    queue["name"],
                    durable=queue.get("durable", True),
                    arguments=queue.get("arguments") or None,
                    passive=queue.get("passive", False),
                )
        finally:
            with contextlib.suppress(Exception):
                connection.close()
        return {}

    def _publish(self, r: dict[str, Any]) -> Answer:
        name = str(r["stream"])
        old = self.publishers.get(name)
        if old is not None and old.is_alive():
            raise Refused(f"stream {name} is being published already")
        self._start_publisher(Publisher(self.ledger.stream(name, str(r["queue"])), self._at(r), self.meter, r))
        return {}

    def _start_publisher(self, publisher: Publisher) -> None:
        self.publishers[publisher.name] = publisher
        publisher.start()

    def _republish(self, r: dict[str, Any]) -> Answer:
        """Publish what is unknown of a stream once more, through ``host``; answered when every one has its answer."""
        name = str(r["stream"])
        ledger = self.ledger.streams[name]
        if self.publishers[name].is_alive():
            self.publishers[name].stop(5)
        unknown = list(ledger.unanswered().ones())
        options = {"queue": ledger.queue, "again": unknown, "limit": 1, "window": 500}
        publisher = Publisher(ledger, self._at(r), self.meter, options)
        publisher.limit = 0
        self._start_publisher(publisher)
        publisher.join(timeout=float(r.get("within", 20)))
        return {"republished": len(unknown), "unanswered": ledger.unanswered().count()}

    def _consume(self, r: dict[str, Any]) -> Answer:
        self._start(Consumer(str(r["role"]), self.ledger, self.lock, self._at(r), self.meter, r))
        return {}

    def _idle(self, r: dict[str, Any]) -> Answer:
        self._start(Idle(str(r["role"]), self._at(r), self.meter))
        return {}

    def _probe(self, r: dict[str, Any]) -> Answer:
        self._start(
            Prober(str(r["role"]), self._at(r), self.meter, float(r.get("every", 0.5)), float(r.get("timeout", 5)))
        )
        return {}

    def _start(self, role: Consumer | Idle | Prober) -> None:
        old = self.roles.get(role.name)
        if old is not None and old.is_alive():
            raise Refused(f"role {role.name} is running already")
        self.roles[role.name] = role
        role.start()

    def _stop(self, r: dict[str, Any]) -> Answer:
        if "stream" in r:
            publisher = self.publishers.get(str(r["stream"]))
            if publisher is None:
                raise Refused(f"no stream {r['stream']!r}; there are {', '.join(self.publishers) or 'none'}")
            return {"answered": publisher.stop(float(r.get("within", 10)))}
        names = list(self.roles) if r["role"] == "*" else [str(r["role"])]
        for publisher in self.publishers.values() if r["role"] == "*" else ():
            publisher.stop(1)
        for name in names:
            if name not in self.roles:
                raise Refused(f"no role {name!r}; there are {', '.join(self.roles) or 'none'}")
            self.roles[name].stopping.set()
        for name in names:
            self.roles[name].stop()
        return {}

    def _progress(self) -> Answer:
        streams = {
            name: {
                **s.counts,
                "attempted": s.attempted,
                "connected": name in self.publishers and self.publishers[name].connected,
            }
            for name, s in list(self.ledger.streams.items())
        }
        roles = {
            name: {"alive": r.is_alive(), "connected": getattr(r, "connected", None)}
            for name, r in list(self.roles.items())
        }
        return {"streams": streams, "roles": roles}

    def _drain(self, r: dict[str, Any]) -> Answer:
        """Let consumers go on until all that was confirmed has arrived and nothing came for ``quiet`` s, ``for`` s at most."""
        until, quiet = time.monotonic() + float(r.get("for", 15)), float(r.get("quiet", 1.0))
        patience = quiet + 8.0
        while time.monotonic() < until:
            still = min(
                (time.monotonic() - c.last_arrival for c in self.roles.values() if isinstance(c, Consumer)),
                default=patience,
            )
            if still >= (quiet if not self._missing() else patience):
                break
            time.sleep(0.05)
        return {"missing": self._missing()}

    def _missing(self) -> int:
        with self.lock:
            return sum((s.confirmed - s.delivered).count() for s in self.ledger.streams.values())

    def _get(self, r: dict[str, Any]) -> Answer:
        """basic.get until the queue is empty or ``limit`` is reached; each is written into the ledger, then acked."""
        connection = open_blocking(self._at(r), "getter", self.meter)
        found = 0
        try:
            channel = connection.channel()
            writer = Consumer("getter", self.ledger, self.lock, self._at(r), self.meter, {"queue": r["queue"]})
            for _ in range(int(r.get("limit", 10_000))):
                method, properties, body = channel.basic_get(r["queue"])
                if method is None:
                    break
                found += 1
                writer._arrive(channel, method, properties, body)
        finally:
            with contextlib.suppress(Exception):
                connection.close()
        return {"found": found}

    def _reset(self) -> Answer:
        for publisher in self.publishers.values():
            publisher.stopping.set()
        for role in self.roles.values():
            role.stopping.set()
        for publisher in self.publishers.values():
            publisher.stop(0.5)
        for role in self.roles.values():
            role.stop()
        self._begin()
        return {}
