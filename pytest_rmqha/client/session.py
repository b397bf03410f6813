"""Verbs to roles: what the load client does when it is asked."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from . import message, sabotage
from .connection import Target, open_blocking
from .consumer import Consumer
from .idle import Idle
from .ledger import Ledger
from .meter import Meter
from .prober import Prober
from .publisher import Publisher

PROTOCOL, CLOSING = 1, 10.0
NEEDED = {
    "open": ("host", "user", "password", "vhost"),
    "declare": ("queues",),
    "publish": ("stream", "queue"),
    "republish": ("stream",),
    "consume": ("role", "queue"),
    "release": ("role",),
    "idle": ("role",),
    "probe": ("role",),
    "get": ("queue",),
}
Answer = dict[str, Any]
Role = Consumer | Idle | Prober


class Refused(Exception):
    """The request can't be done as asked; its text goes back."""


class Session:
    """One load at a time: ``reset`` ends it and begins an empty one."""

    def __init__(self) -> None:
        self.target: Target | None = None
        self._loads: list[str] = []
        self._begin()

    def _begin(self) -> None:
        sabotage.begin()
        load = secrets.token_hex(4)
        self.ledger, self.meter, self.lock = Ledger(load, self._loads), Meter(), threading.Lock()
        self._loads.append(load)
        self.publishers: dict[str, Publisher] = {}
        self.roles: dict[str, Role] = {}

    def do(self, verb: str, request: dict[str, Any]) -> Answer:
        verbs: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "hello": lambda _r: {"protocol": PROTOCOL, "monotonic": time.monotonic()},
            "open": self._open,
            "declare": self._declare,
            "publish": self._publish,
            "republish": self._republish,
            "consume": self._consume,
            "release": self._release,
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
        missing = [name for name in NEEDED.get(verb, ()) if name not in request]
        if missing:
            raise Refused(f"{verb} needs {', '.join(missing)}")
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
        self._end([self._publisher(name)], [], 5)
        ledger = self.ledger.streams[name]
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

    def _release(self, r: dict[str, Any]) -> Answer:
        consumer = self.roles.get(str(r["role"]))
        if not isinstance(consumer, Consumer):
            raise Refused(f"no consumer {r['role']!r}; there are {', '.join(self.roles) or 'none'}")
        return {"released": consumer.release()}

    def _idle(self, r: dict[str, Any]) -> Answer:
        self._start(Idle(str(r["role"]), self._at(r), self.meter))
        return {}

    def _probe(self, r: dict[str, Any]) -> Answer:
        self._start(
            Prober(str(r["role"]), self._at(r), self.meter, float(r.get("every", 0.5)), float(r.get("timeout", 5)))
        )
        return {}

    def _start(self, role: Role) -> None:
        old = self.roles.get(role.name)
        if old is not None and old.is_alive():
            raise Refused(f"role {role.name} is running already")
        self.roles[role.name] = role
        role.start()

    def _stop(self, r: dict[str, Any]) -> Answer:
        """``stream`` (``*``: all) waits for the answers that are due, ``within`` s; ``role`` "*" is everything."""
        if "stream" in r:
            streams = list(self.publishers) if r["stream"] == "*" else [str(r["stream"])]
            return {"answered": self._end([self._publisher(n) for n in streams], [], float(r.get("within", 10)))}
        if "role" not in r:
            raise Refused("stop needs stream or role")
        names = list(self.roles) if r["role"] == "*" else [str(r["role"])]
        for name in names:
            if name not in self.roles:
                raise Refused(f"no role {name!r}; there are {', '.join(self.roles) or 'none'}")
        is_over = r["role"] == "*"
        publishers = list(self.publishers.values()) if is_over else []
        self._end(publishers, [self.roles[name] for name in names], 1, is_over)
        return {}

    @staticmethod
    def _end(publishers: Sequence[Publisher], roles: Sequence[Role], within: float, is_over: bool = False) -> bool:
        """All at the same time, so that a frozen broker costs ``within`` and CLOSING once. False if answers are missing.

        ``is_over``: the load is; what a consumer holds is nobody's then.
        """
        threads: list[Publisher | Role] = [*publishers, *roles]
        for thread in threads:
            if is_over and isinstance(thread, Consumer):
                thread.end()
            else:
                thread.cease()
        until = time.monotonic() + within
        answered = [publisher.settle(until - time.monotonic()) for publisher in publishers]
        until = time.monotonic() + CLOSING
        for thread in threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        return all(answered)

    def _publisher(self, name: str) -> Publisher:
        if name not in self.publishers:
            raise Refused(f"no stream {name!r}; there are {', '.join(self.publishers) or 'none'}")
        return self.publishers[name]

    def _progress(self) -> Answer:
        streams = {
            name: {
                **s.counts,
                "attempted": s.attempted,
                **_standing(self.publishers.get(name)),
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
        missing = self._missing()
        if not missing:
            self.meter.settle("deliver")
        consumed = {c.queue for c in self.roles.values() if isinstance(c, Consumer) and c.is_alive()}
        return {"missing": sum(missing.values()), "queues": sorted(consumed & missing.keys())}

    def _missing(self) -> dict[str, int]:
        """queue -> messages that were confirmed and have not arrived."""
        with self.lock:
            found: Counter[str] = Counter()
            for stream in self.ledger.streams.values():
                found[stream.queue] += stream.missing().count()
        return dict(+found)

    def _get(self, r: dict[str, Any]) -> Answer:
        """basic.get until the queue is empty or ``limit`` is reached; each is ledgered as *late*, then acked."""
        connection = open_blocking(self._at(r), "getter", self.meter)
        found = 0
        try:
            channel = connection.channel()
            for _ in range(int(r.get("limit", 10_000))):
                method, _, body = channel.basic_get(r["queue"])
                if method is None:
                    break
                found += 1
                stream, number, load, _ = message.parsed(body)
                with self.lock:
                    self.ledger.swept(stream, number, body, load)
                channel.basic_ack(method.delivery_tag)
        finally:
            with contextlib.suppress(Exception):
                connection.close()
        return {"found": found}

    def _reset(self) -> Answer:
        self._end(list(self.publishers.values()), list(self.roles.values()), 0.5, True)
        self._begin()
        return {}


def _standing(publisher: Publisher | None) -> dict[str, Any]:
    """Of a stream's publisher now: is it there and connected, and how many of its messages wait for an answer."""
    if publisher is None:
        return {"connected": False, "alive": False, "waiting": 0}
    return {"connected": publisher.connected, "alive": publisher.is_alive(), "waiting": publisher.unanswered}
