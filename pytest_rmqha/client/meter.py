"""When things moved: gaps without a confirm or a delivery, rates by 0.2 s, latencies by second, connect tries."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict
from typing import Any

GAP = 0.25
BUCKET = 0.2
MOST_CONNECTS = 5000
MOST_GAPS = 20_000
BASE = 1.25


class Meter:
    """Thread-safe. ``kind`` is ``publish`` or ``deliver``; roles are the publishers' streams and the consumers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], float] = {}
        self.gaps: list[tuple[str, str, float, float]] = []
        self.rates: dict[str, Counter[int]] = {"publish": Counter(), "deliver": Counter()}
        self.latency: dict[int, Counter[int]] = defaultdict(Counter)
        self.connects: list[dict[str, Any]] = []
        self.started: float | None = None
        self.ended: float | None = None

    def begin(self, role: str, kind: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._last.setdefault((role, kind), now)
            self.started = now if self.started is None else self.started

    def moved(self, role: str, kind: str, count: int = 1) -> None:
        now = time.monotonic()
        with self._lock:
            last = self._last.get((role, kind), now)
            if now - last >= GAP and len(self.gaps) < MOST_GAPS:
                self.gaps.append((role, kind, last, now))
            self._last[(role, kind)] = now
            self.rates[kind][int(now / BUCKET)] += count

    def end(self, role: str, kind: str, at: float | None = None) -> None:
        """An open gap counts up to ``at`` (now); what comes later is after the load. A role that has ended stays so."""
        at = time.monotonic() if at is None else at
        with self._lock:
            last = self._last.pop((role, kind), None)
            if last is None:
                return
            if at - last >= GAP:
                self.gaps.append((role, kind, last, at))
            self.ended = max(at, last, self.ended or 0.0)

    def settle(self, kind: str) -> None:
        """All there was has moved: the silence since then is nobody's stall."""
        with self._lock:
            for key in [key for key in self._last if key[1] == kind]:
                self.ended = max(self._last.pop(key), self.ended or 0.0)

    def took(self, seconds: float) -> None:
        """A confirm's latency, into a logarithmic bucket of its second (bucket n is 1.25 ** n µs)."""
        micros = max(seconds * 1e6, 1.0)
        with self._lock:
            self.latency[int(time.monotonic())][int(math.log(micros, BASE))] += 1

    def connected(self, role: str, at: float, ok: bool, error: str, peer: str) -> None:
        with self._lock:
            if len(self.connects) < MOST_CONNECTS:
                self.connects.append(
                    {"role": role, "at": at, "seconds": time.monotonic() - at, "ok": ok, "error": error, "peer": peer}
                )

    def dump(self) -> dict[str, Any]:
        with self._lock:
            start = self.started or 0.0
            return {
                "gaps": [list(g) for g in self.gaps],
                "connects": list(self.connects),
                "rates": {k: [[round(b * BUCKET, 3), n] for b, n in sorted(c.items())] for k, c in self.rates.items()},
                "latency": {str(s): {str(b): n for b, n in c.items()} for s, c in self.latency.items()},
                "window": [
                    start,
                    self.ended if self.ended is not None else time.monotonic() if self.started else start,
                ],
            }
