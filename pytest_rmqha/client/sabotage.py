"""Planted defects for the project's own tests, at the wire boundary, where the real thing would break.

The file /run/rmqha/sabotage names one, read when a load begins; without it nothing here does anything.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

KNOWN = (
    "never-publish",
    "stall-consumer",
    "lose-one",
    "invent-one",
    "duplicate-unflagged",
    "reorder-one",
    "die-mid-scenario",
    "deaf-ledger",
)
PLACE = Path("/run/rmqha/sabotage")
ON: set[str] = set()
AT = 300


def begin() -> None:
    """A new load: what is planted now."""
    ON.clear()
    _kept.clear()
    if PLACE.exists():
        ON.update(set(PLACE.read_text().split()) & set(KNOWN))
        _count.restart()


class _Count:
    """Arrivals since the load began."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._numbers = itertools.count(1)

    def next(self) -> int:
        return next(self._numbers)


_count = _Count()
_kept: list[tuple[bytes, bool]] = []


def planted(name: str) -> bool:
    return name in ON


def arrivals(body: bytes, redelivered: bool) -> list[tuple[bytes, bool]]:
    """What the ledger is told of one arrival: normally just that arrival."""
    if not ON:
        return [(body, redelivered)]
    seen = _count.next()
    if planted("deaf-ledger"):
        return []
    if planted("lose-one") and seen == AT:
        return []
    if planted("invent-one") and seen == AT:
        return [(body, redelivered), (b"phantom:7:0:", False)]
    if planted("duplicate-unflagged") and seen == AT:
        return [(body, redelivered), (body, False)]
    if planted("reorder-one"):
        return _reordered(body, redelivered, seen)
    return [(body, redelivered)]


def _reordered(body: bytes, redelivered: bool, seen: int) -> list[tuple[bytes, bool]]:
    """One arrival is told after the next one of its stream."""
    if seen == AT:
        _kept.append((body, redelivered))
        return []
    if _kept and _kept[0][0].split(b":", 1)[0] == body.split(b":", 1)[0]:
        return [(body, redelivered), _kept.pop()]
    return [(body, redelivered)]


def after_confirms(count: int) -> None:
    if planted("die-mid-scenario") and count >= 500:
        os._exit(3)
