"""A load client that moves as it is told to. Import it as ``tests.unit.fakes``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_rmqha.client.ledger import Ledger
from pytest_rmqha.client.meter import Meter
from pytest_rmqha.client.session import NEEDED, PROTOCOL
from pytest_rmqha.errors import ToolFailed

VERBS = ("hello", "open", "reset", "stop", "progress", "drain", "dump", "release")
CONNECTING = ("declare", "publish", "republish", "consume", "idle", "probe", "get")


class FakeClient:
    """A load client whose streams move by ``steps`` at each look at its progress; ``asked`` is every request, in order.

    ``missing``: what each drain still misses, the last for ever. ``fails``: verb -> what asking it raises. ``gone``: its
    stream has ended. It refuses what the client's session refuses: an unknown verb, one that lacks an argument, and one
    that connects unless it is ``opened``.
    """

    def __init__(self, *, opened: bool = True) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.ledger = Ledger()
        self.steps: dict[str, tuple[int, int]] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.unanswered: dict[str, int] = {}
        self.disconnected: set[str] = set()
        self.ended: set[str] = set()
        self.missing = [0]
        self.fails: dict[str, Exception] = {}
        self.gone, self.opened = False, opened

    @property
    def verbs(self) -> list[str]:
        """What was asked, a look at the progress left out."""
        return [verb for verb, _ in self.asked if verb != "progress"]

    def arguments(self, verb: str) -> list[dict[str, Any]]:
        return [arguments for asked, arguments in self.asked if asked == verb]

    def _told(self, name: str, counts: Mapping[str, int]) -> dict[str, Any]:
        """As the client tells it; every message that was tried has its answer but ``unanswered`` ones."""
        told = {"nacked": 0, "returned": 0, **counts}
        answered = told["confirmed"] + told["nacked"] + told["returned"]
        return {
            "attempted": answered + self.unanswered.get(name, 0),
            "connected": name not in self.disconnected,
            "alive": name not in self.ended,
            "waiting": self.unanswered.get(name, 0),
            **told,
        }

    def ask(self, verb: str, within: float = 30, **arguments: Any) -> Mapping[str, Any]:
        self.asked.append((verb, arguments))
        if self.gone:
            raise ToolFailed(f"the load client is gone; asked for {verb!r}")
        if verb in self.fails:
            raise self.fails[verb]
        lacks = [name for name in NEEDED.get(verb, ()) if name not in arguments]
        if verb not in (*VERBS, *CONNECTING) or lacks or (verb in CONNECTING and not self.opened):
            raise ToolFailed(f"the load client refused {verb!r}: unknown, not opened, or without {lacks}")
        if verb == "hello":
            return {"ok": True, "protocol": PROTOCOL, "monotonic": 0.0}
        if verb == "open":
            self.opened = True
        if verb == "reset":
            self.counts.clear()
            self.ledger = Ledger()
        if verb == "publish":
            stream = arguments["stream"]
            self.ledger.stream(stream, arguments["queue"])
            self.counts.setdefault(stream, {"confirmed": 0, "delivered": 0})
        if verb == "progress":
            for stream, counts in self.counts.items():
                confirmed, delivered = self.steps.get(stream, (1, 1))
                counts["confirmed"] += confirmed
                counts["delivered"] += delivered
            return {"ok": True, "streams": {name: self._told(name, counts) for name, counts in self.counts.items()}}
        if verb == "drain":
            return {"ok": True, "missing": self.missing.pop(0) if len(self.missing) > 1 else self.missing[0]}
        if verb == "dump":
            return {"ok": True, "dump": {**self.ledger.dump(), **Meter().dump()}}
        return {"ok": True}
