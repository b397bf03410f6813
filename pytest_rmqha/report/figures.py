"""The numbers of one scenario, from its history and its part of the timeline. Times in seconds, counts in messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History


@dataclass(frozen=True)
class Figures:
    """``longest_outage``: the longest stretch in which a publisher had no confirm, None without a load."""

    attempted: int
    confirmed: int
    refused: int
    unknown: int
    delivered: int
    lost: int
    recovered: int
    duplicated: int
    longest_outage: float | None
    longest_delivery_gap: float | None
    phases: tuple[tuple[str, float], ...]


def figures(history: History, events: Sequence[Event]) -> Figures:
    streams = history.streams
    ran = history.window[1] > history.window[0]

    def longest(kind: str) -> float | None:
        return max((g.seconds for g in history.gaps if g.kind == kind), default=0.0) if ran else None

    return Figures(
        attempted=sum(s.attempted for s in streams), confirmed=sum(s.confirmed.count() for s in streams),
        refused=sum(s.nacked.count() + s.returned.count() for s in streams), unknown=sum(s.unknown.count() for s in streams),
        delivered=sum(s.delivered.count() for s in streams), lost=sum(s.lost.count() for s in streams),
        recovered=sum(s.recovered.count() for s in streams), duplicated=sum(s.repeated.count() for s in streams),
        longest_outage=longest("publish"), longest_delivery_gap=longest("deliver"), phases=phases(events),
    )


def phases(events: Sequence[Event]) -> tuple[tuple[str, float], ...]:
    """Milestones of the first fault, seconds after it: the first of each kind that was seen, in order of time."""
    struck = next((e.at for e in events if e.kind == "fault.injected"), None)
    if struck is None:
        return ()
    wanted = (
        ("seen by the brokers or balancers", lambda e: e.kind == "fault.seen"),
        ("new leader", lambda e: e.kind == "leader"),
        ("backend DOWN", lambda e: e.kind == "backend" and e.data.get("state") == "DOWN"),
        ("VIP moved", lambda e: e.kind == "vip" and bool(e.data.get("held"))),
        ("client reconnected", lambda e: e.kind == "client" and e.text == "connected"),
        ("first confirm", lambda e: e.kind == "client" and e.text == "first_confirm"),
        ("first delivery", lambda e: e.kind == "client" and e.text == "first_delivery"),
    )
    found = [(label, min((e.at for e in events if e.at > struck and sees(e)), default=None)) for label, sees in wanted]
    return tuple(sorted(((label, at - struck) for label, at in found if at is not None), key=lambda row: row[1]))
