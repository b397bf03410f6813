"""The stretches in which clients stood still, from a history; the client's meter knows none below 0.25 s."""

from __future__ import annotations

import math

from pytest_rmqha.workload.history import Gap, History

BUCKET = 0.2


def closed_gaps(history: History, kind: str) -> tuple[Gap, ...]:
    """The gaps of a kind; one that never ended lasts until the load's end. The wait at the end is not one of them."""
    last = history.window[1]
    closed = (
        Gap(g.role, g.kind, g.start, g.end if math.isfinite(g.end) else last) for g in history.gaps if g.kind == kind
    )
    if kind == "publish":
        return tuple(closed)
    moved = [at for kind in ("publish", "deliver") for at, count in history.rates.get(kind, ()) if count]
    if not moved or any(stream.lost.count() for stream in history.streams):
        return tuple(closed)
    return tuple(gap for gap in closed if not _is_the_last_wait(history, gap, max(moved)))


def _is_the_last_wait(history: History, gap: Gap, last_moved: float) -> bool:
    """Consumers wait a little after the last message, in case there is another: nobody is kept waiting by that.

    It begins with the last movement there was, while no publisher stood still; nothing confirmed is missing.
    """
    if gap.start < last_moved - BUCKET:
        return False
    return not any(g.kind == "publish" and g.start < gap.end and g.end > gap.start for g in history.gaps)


def worst_gap(history: History, kind: str) -> Gap | None:
    return max(closed_gaps(history, kind), key=lambda gap: gap.seconds, default=None)


def is_open(history: History, gap: Gap) -> bool:
    """It had not ended when the load did."""
    return gap.end >= history.window[1]


def seconds_or_less(gap: float) -> str:
    """In words."""
    return f"{gap:.2f} s" if gap else "below 0.25 s"


def standstills(history: History, kind: str) -> tuple[tuple[float, float], ...]:
    """The gaps of all clients, overlaps joined."""
    joined: list[tuple[float, float]] = []
    for gap in sorted(closed_gaps(history, kind), key=lambda gap: gap.start):
        if joined and gap.start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], gap.end))
        else:
            joined.append((gap.start, gap.end))
    return tuple(joined)
