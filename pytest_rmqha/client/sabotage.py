"""Planted defects for the project's own tests, at the wire boundary, where the real thing would break.

RMQHA_SABOTAGE names them, comma separated; without it nothing here does anything.
"""

from __future__ import annotations

import itertools
import os

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
ON = frozenset(filter(None, os.environ.get("RMQHA_SABOTAGE", "").split(",")))
AT = 300
_arrived = itertools.count(1)


def planted(name: str) -> bool:
    return name in ON


def arrivals(body: bytes, redelivered: bool) -> list[tuple[bytes, bool]]:
    """What the ledger is told of one arrival: normally just that arrival."""
    if not ON:
        return [(body, redelivered)]
    seen = next(_arrived)
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


_kept: list[tuple[bytes, bool]] = []


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
