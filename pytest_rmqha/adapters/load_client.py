"""The load client of a run, while the stack stands: the wire to it, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.adapters.wire import Wire
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.timeline import Timeline

SERVICE = "rmqha-client"


@dataclass
class LoadClient:
    """``wire``: None while nobody is attached. ``on_load`` is told (monotonic seconds, confirmed, delivered), both totals, in
    the wire's thread.
    """

    engine: Engine
    timeline: Timeline
    on_load: Callable[[float, int, int], None] = lambda _at, _confirmed, _delivered: None
    wire: Wire | None = field(default=None, init=False)

    def attach(self) -> None:
        """Its container runs; ToolFailed when it does not answer within 20 s."""
        self.wire = Wire(self.engine.attach(SERVICE), self._take)
        self.wire.ask("hello", within=20)

    def end(self) -> None:
        """The client's process ends with its stream, whether it answers or not."""
        if self.wire is not None:
            with suppress(HarnessError, OSError):
                self.wire.ask("bye", within=3)
            self.wire.close()
            self.wire = None

    def _take(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "load":
            self.on_load(float(event["at"]), int(event["confirmed"]), int(event["delivered"]))
            return
        known = {k: v for k, v in event.items() if k not in ("event", "at", "role")}
        self.timeline.add("client", str(event.get("role", "client")), str(event["event"]), at=event.get("at"), **known)
