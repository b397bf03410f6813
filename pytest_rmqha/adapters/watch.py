"""A watcher that writes what it sees on the timeline: one thread with a stop flag, bounded by the run.

It only looks, and a look that fails is itself an observation (``unanswered``), never an exception in a thread that nobody
reads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from pytest_rmqha.clock import now
from pytest_rmqha.timeline import Timeline

SLOW = 3.0
STUCK = 10.0
"""Seconds. Asked once a scenario, after the stack has answered the steady state's own looks through the same engine: a look
that has not come back by then hangs. Whole runs had no stretch without an answer above 5.3 s beside a frozen haproxy, whose
looks do end (1.5 s each)."""


class Watch:
    """Calls ``look`` every ``every`` seconds until stopped; ``look`` returns subject -> state; changes become events."""

    def __init__(
        self, name: str, timeline: Timeline, kind: str, look: Callable[[], Mapping[str, str]], every: float = 0.25
    ) -> None:
        self.name, self._timeline, self._kind, self._look, self._every = name, timeline, kind, look, every
        self.last: dict[str, str] = {}
        self._looking_since: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"rmqha-watch-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._stop.is_set():
            began = self._looking_since = now()
            try:
                seen = dict(self._look())
            except Exception:  # whatever it is: nobody would read it in this thread, and what is not seen must be said
                seen = dict.fromkeys(self.last or [self.name], "unanswered")
            self._looking_since = None
            if self._stop.is_set():  # another watches in its place
                return
            if now() - began > SLOW:
                for subject in self.last:
                    self._emit(subject, "unanswered", began)
                self.last.clear()
            for subject, state in seen.items():
                if self.last.get(subject) != state:
                    self.last[subject] = state
                    self._emit(subject, state)
            self._stop.wait(self._every)

    def again(self) -> Watch:
        """A new watcher of the same, started; this one writes no more, whenever its last look may end."""
        self._stop.set()
        if (since := self._looking_since) is not None:
            for subject in list(self.last):
                self._emit(subject, "unanswered", since)
        fresh = Watch(self.name, self._timeline, self._kind, self._look, self._every)
        fresh.start()
        return fresh

    @property
    def is_blind(self) -> bool:
        """Nobody stopped it, and its thread has ended or its look has hung for 10 s: the last state would stand for ever."""
        since = self._looking_since
        hangs = since is not None and now() - since > STUCK
        return not self._stop.is_set() and (hangs or not self._thread.is_alive())

    def _emit(self, subject: str, state: str, at: float | None = None) -> None:
        if self._kind == "vip":
            self._timeline.add("vip", self.name, state, at, member=subject, held=state == "held")
        else:
            self._timeline.add(self._kind, subject, state, at, state=state)
