"""When things moved: gaps without a confirm or a delivery, rates by 0.2 s, latencies by second, connect tries."""

from __future__ import annotations

import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

GAP = 0.25
BUCKET = 0.2
MOST_CONNECTS, MOST_OF_ALL = 5000, 50_000
MOST_GAPS = 20_000
LONGEST = (1 << 31) - 1


class Latencies:
    """A histogram for each second, linear in sixteen steps within an octave as HdrHistogram's are.

    A value is told as the middle of its step: at most 3.2 % off, exact below 32 µs, 36 minutes at most. A second that is
    over is packed, six bytes a step, so that 40 minutes at 600 messages a second stay below 10 MB. Not thread-safe.
    """

    def __init__(self) -> None:
        self._second = 0
        self._open: Counter[int] = Counter()
        self._packed: list[tuple[int, bytes]] = []

    def add(self, at: float, seconds: float) -> None:
        """``at`` (monotonic seconds) is when the wait of ``seconds`` was over; it never goes back by more than its second."""
        second = int(at)
        if second > self._second:
            self._pack()
            self._second = second
        micros = min(max(int(seconds * 1e6), 0), LONGEST)
        shift = max(micros.bit_length() - 5, 0)
        self._open[(shift << 4) + (micros >> shift)] += 1

    def _pack(self) -> None:
        if self._open:
            steps, counts = zip(*sorted(self._open.items()), strict=True)
            self._packed.append((self._second, struct.pack(f"<{len(steps)}H{len(counts)}I", *steps, *counts)))
            self._open.clear()

    def dump(self) -> list[tuple[int, list[tuple[int, int]]]]:
        """(second, (µs, count) of each step) in the order of time."""
        self._pack()
        return [(second, _unpacked(packed)) for second, packed in self._packed]


def _unpacked(packed: bytes) -> list[tuple[int, int]]:
    length = len(packed) // 6
    numbers = struct.unpack(f"<{length}H{length}I", packed)
    return [(_middle(step), count) for step, count in zip(numbers[:length], numbers[length:], strict=True)]


def _middle(step: int) -> int:
    """µs; the inverse of what ``add`` makes of them."""
    shift = max((step >> 4) - 1, 0)
    return ((step - (shift << 4)) << shift) + (1 << shift) // 2


class Meter:
    """Thread-safe. ``kind`` is ``publish`` or ``deliver``; roles are the publishers' streams and the consumers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], float] = {}
        self.gaps: list[tuple[str, str, float, float]] = []
        self.rates: dict[str, Counter[int]] = {"publish": Counter(), "deliver": Counter()}
        self.latencies = {"publish": Latencies(), "deliver": Latencies()}
        self.connects: list[dict[str, Any]] = []
        self.unwritten = 0
        self._tries: Counter[str] = Counter()
        self.started: float | None = None
        self.ended: float | None = None

    def begin(self, role: str, kind: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._last.setdefault((role, kind), now)
            self.started = now if self.started is None else self.started

    def moved(self, role: str, kind: str, count: int = 1, waits: Iterable[float] = ()) -> None:
        """``waits``: seconds, one for each message whose wait for a confirm (``publish``), or from sending to its first arrival
        (``deliver``), is over just now.
        """
        now = time.monotonic()
        with self._lock:
            for seconds in waits:
                self.latencies[kind].add(now, seconds)
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

    def took(self, kind: str, waits: Iterable[float]) -> None:
        """As the ``waits`` of ``moved``, without a move."""
        now = time.monotonic()
        with self._lock:
            for seconds in waits:
                self.latencies[kind].add(now, seconds)

    def connected(self, role: str, at: float, ok: bool, error: str, peer: str) -> None:
        with self._lock:
            self._tries[role] += 1
            if self._tries[role] <= MOST_CONNECTS and len(self.connects) < MOST_OF_ALL:
                self.connects.append(
                    {"role": role, "at": at, "seconds": time.monotonic() - at, "ok": ok, "error": error, "peer": peer}
                )
            else:
                self.unwritten += 1

    def dump(self) -> dict[str, Any]:
        with self._lock:
            start = self.started or 0.0
            return {
                "gaps": [list(g) for g in self.gaps],
                "connects": list(self.connects),
                "connects_unwritten": self.unwritten,
                "rates": {k: [[round(b * BUCKET, 3), n] for b, n in sorted(c.items())] for k, c in self.rates.items()},
                "latencies": {kind: found.dump() for kind, found in self.latencies.items()},
                "window": [
                    start,
                    self.ended if self.ended is not None else time.monotonic() if self.started else start,
                ],
            }
