"""What goes on at this moment, from what the session and the timeline tell, and one line that says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from pytest_rmqha.clock import now
from pytest_rmqha.timeline import Event
from pytest_rmqha.waiting import Wait, awaited

BRING_UP = "bring-up: "
FAULT = {
    "fault.injected": "fault injected",
    "fault.seen": "fault seen in effect",
    "fault.healed": "healing",
    "fault.gone": "fault gone",
}
STALE = 10.0
LEAST_SPAN = 1.0
LEAST_WORDS = 9
WORDS = re.compile(" confirmed| delivered")


@dataclass(frozen=True)
class Step:
    """One test of the session: what the line calls it, and the play that it asks for with its estimated seconds."""

    nodeid: str
    label: str
    play: str
    seconds: float


class LoadRates:
    """Rates from counters that somebody hands in now and then; nothing while they are older than 10 s."""

    def __init__(self, clock: Callable[[], float] = now) -> None:
        self._clock = clock
        self._seen: list[tuple[float, int, int]] = []

    def counted(self, at: float, confirmed: int, delivered: int) -> None:
        """Totals of the running load at a moment (monotonic). Totals that fall are another load's. From any thread."""
        last = self._seen[-1:]
        if last and (confirmed < last[0][1] or delivered < last[0][2]):
            last = []
        if last and at - last[0][0] < LEAST_SPAN:
            return
        self._seen = [*last, (at, confirmed, delivered)]

    def __call__(self) -> str:
        """``298/s confirmed, 301/s delivered``, or nothing."""
        seen = self._seen
        if len(seen) < 2 or self._clock() - seen[1][0] > STALE or seen[1][0] <= seen[0][0]:
            return ""
        (then, confirmed, delivered), (at, confirmed_now, delivered_now) = seen
        span = at - then
        return f"{(confirmed_now - confirmed) / span:.0f}/s confirmed, {(delivered_now - delivered) / span:.0f}/s delivered"


class Status:
    """Thread-safe: the session and the timeline tell, a display asks. ``rates`` is asked for text in the display's thread."""

    def __init__(
        self,
        steps: Sequence[Step],
        bring_up: float,
        *,
        rates: Callable[[], str] = lambda: "",
        awaits: Callable[[], Wait | None] = awaited,
        clock: Callable[[], float] = now,
    ) -> None:
        self.rates = rates
        self._steps = {step.nodeid: (number, step) for number, step in enumerate(steps, 1)}
        self._costs = {step.play: step.seconds for step in steps}
        self._bring_up = bring_up
        self._awaits = awaits
        self._clock = clock
        self._lock = Lock()
        self._began = self._current_began = clock()
        self._current: Step | None = None
        self._paid: set[str] = set()
        self._is_up = False
        self._phase = "bring-up"

    def begin(self, nodeid: str) -> None:
        """A test of ours begins; another is passed over."""
        if nodeid not in self._steps:
            return
        with self._lock:
            self._current, self._current_began = self._steps[nodeid][1], self._clock()
            if self._is_up:
                self._phase = "steady state"

    def end(self, nodeid: str) -> None:
        with self._lock:
            if self._current is not None and self._current.nodeid == nodeid:
                self._paid.add(self._current.play)
                self._is_up = True
                self._current, self._phase = None, "between scenarios"

    def heard(self, event: Event) -> None:
        """An event of the timeline."""
        phase = self._phase_of(event)
        if phase is None:
            return
        with self._lock:
            self._phase = phase
            if event.kind == "scenario.begin":
                self._is_up, self._current_began = True, event.at

    def _phase_of(self, event: Event) -> str | None:
        if event.kind in FAULT:
            return f"{FAULT[event.kind]}: {event.subject}"
        if event.kind == "wait.begin" and event.subject.startswith((BRING_UP, "steady state")):
            return event.subject
        if event.kind == "scenario.begin":
            return "no fault yet"
        return "scenario over" if event.kind == "scenario.end" else None

    def left(self) -> float:
        """Estimated seconds until the session ends; a play that takes longer than estimated counts nothing more."""
        with self._lock:
            now_ = self._clock()
            current = self._current.play if self._current else ""
            ahead = sum(cost for play, cost in self._costs.items() if play not in self._paid and play != current)
            spent = now_ - self._current_began if self._is_up else 0.0
            here = 0.0 if current in self._paid else max(0.0, self._costs.get(current, 0.0) - spent)
            bring_up = 0.0 if self._is_up else max(0.0, self._bring_up - (now_ - self._began))
            return ahead + here + bring_up

    def line(self, width: int | None = None) -> str:
        """Scenario and number, phase, what is awaited and for how long yet, rates, what is left of the session.

        In ``width`` characters the words of phase and wait are cut first, so that every number is still there at 80.
        """
        with self._lock:
            step, phase = self._current, self._phase
        where = (
            f"{self._steps[step.nodeid][0]}/{len(self._steps)} {step.label}" if step else f"{len(self._steps)} tests"
        )
        wait, rates, left = self._awaits(), self._rates_told(), f"session: about {_span(self.left())} left"

        def told(phase: str, what: str, rates: str, left: str) -> str:
            awaits = [f"awaits {what}, {wait.left:.0f} s left"] if wait is not None else []
            return " | ".join(_printable(part) for part in [f"[{where}] {phase}", *awaits, rates, left] if part)

        what = wait.what if wait is not None else ""
        if width is None or len(told(phase, what, rates, left)) <= width:
            return told(phase, what, rates, left)
        rates, left = WORDS.sub("", rates), left.removeprefix("session: about ")
        what = _cut(what, len(told(phase, what, rates, left)) - width)
        phase = _cut(phase, len(told(phase, what, rates, left)) - width)
        return told(phase, what, rates, left)

    def _rates_told(self) -> str:
        try:
            return self.rates()
        except Exception:  # who only looks must not harm the run: a status line without rates says so by having none
            return ""


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cut(text: str, excess: int) -> str:
    """``excess`` characters less, if so many are left to go."""
    keep = max(len(text) - excess - 1, LEAST_WORDS)
    return text if excess <= 0 or keep + 1 >= len(text) else f"{text[:keep].rstrip()}…"


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
