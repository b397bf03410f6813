"""Every event of the run on one clock: faults, elections, VIP moves, backend states, client gaps, our own waits.

Kinds: ``scenario.begin|end``, ``fault.injected|seen|healed|gone``, ``leader``, ``vip``, ``backend``, ``client``,
``wait.begin|end``, ``boot``, ``note``. Nothing refuses another kind, so that a user's own watcher can add one.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pytest_rmqha import clock


@dataclass(frozen=True)
class Event:
    """``at``: monotonic seconds. ``data`` is whatever the kind needs, JSON-able by intention, read-only."""

    at: float
    kind: str
    subject: str
    text: str = ""
    data: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", MappingProxyType(dict(self.data)))

    def as_json(self) -> str:
        """One line. What JSON doesn't know is written as its ``str()``."""
        line = {
            "at": self.at,
            "utc": clock.utc(self.at).isoformat(timespec="milliseconds"),
            "kind": self.kind,
            "subject": self.subject,
            "text": self.text,
            "data": dict(self.data),
        }
        return json.dumps(line, default=str, ensure_ascii=False)


class Timeline:
    """Append-only and thread-safe. Events are handed out in the order of their time, not of their arrival."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()
        self._waits = itertools.count(1)
        self._listeners: list[Callable[[Event], object]] = []

    def subscribe(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Tell ``listener`` each event from now on, in the thread that adds it; what is returned ends that.

        It must be quick and may not wait. One that raises is told nothing more, and a note says so: who only looks must
        not harm the run.
        """
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._drop(listener)

    def _drop(self, listener: Callable[[Event], object]) -> None:
        with self._lock:
            self._listeners = [known for known in self._listeners if known is not listener]

    def add(self, kind: str, subject: str, text: str = "", at: float | None = None, **data: object) -> Event:
        """Record one event, now or at a moment that was measured elsewhere on the same clock."""
        event = Event(clock.now() if at is None else at, kind, subject, text, data)
        with self._lock:
            self._events.append(event)
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener(event)
            except Exception as error:
                self._drop(listener)
                self.add("note", "timeline", f"a listener is told nothing more: {type(error).__name__}: {error}")
        return event

    @property
    def events(self) -> tuple[Event, ...]:
        with self._lock:
            return tuple(sorted(self._events, key=lambda event: event.at))

    def between(self, start: float, end: float) -> tuple[Event, ...]:
        """Both ends included. Watchers record changes only: the state at ``start`` may be an event before it."""
        return tuple(event for event in self.events if start <= event.at <= end)

    def last(self, kind: str, subject: str | None = None) -> Event | None:
        for event in reversed(self.events):
            if event.kind == kind and subject in (None, event.subject):
                return event
        return None

    @contextlib.contextmanager
    def waiting(self, label: str) -> Iterator[None]:
        """Put a wait of ours on the timeline. May be nested, the same label too: ``data['wait']`` pairs the events."""
        number = next(self._waits)
        self.add("wait.begin", label, wait=number)
        try:
            yield
        finally:
            self.add("wait.end", label, wait=number)

    def to_jsonl(self, path: Path | str) -> None:
        """One event a line: at, utc, kind, subject, text, data. What JSON doesn't know is written as its ``str()``."""
        Path(path).write_text("".join(event.as_json() + "\n" for event in self.events), encoding="utf-8")
