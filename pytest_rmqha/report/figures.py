"""The numbers of one scenario, from its history and its part of the timeline. Times in seconds, counts in messages.

Events from before ``scenario.begin`` are left out, so a caller may pass the whole timeline up to the scenario's end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Gap, History

BUCKET = 0.2
BESIDE_THE_LOAD = re.compile(r"manage?ment|mgmt|stat(istic)?s|admin", re.IGNORECASE)


@dataclass(frozen=True)
class Phase:
    """A milestone, ``after`` seconds from the moment at which the fault's injection began; ``detail``: who or what."""

    label: str
    after: float
    detail: str = ""


@dataclass(frozen=True)
class Outage:
    """What followed one fault, up to the next one, in order of time.

    Confirm, delivery and reconnect are those that end the longest stretch that a client stood still, so a client that
    the fault did not touch can't shorten them. *New leader* is when the scenario saw it: an upper bound. A milestone
    that has no event is left out, and so are leaders, backends and VIP moves that came after the fault was seen gone.
    """

    fault: str
    struck: float
    phases: tuple[Phase, ...]


@dataclass(frozen=True)
class Figures:
    """``longest_*``: of any one client, None without a load, a lower bound if it was still open at the end.

    ``*_total``: seconds in which at least one client stood still. ``resent``: those of the duplicated that the
    publisher itself had sent again.
    """

    attempted: int
    confirmed: int
    refused: int
    unknown: int
    delivered: int
    lost: int
    recovered: int
    duplicated: int
    resent: int
    unexpected: int
    connects: int
    failed_connects: int
    longest_outage: float | None
    longest_delivery_gap: float | None
    outage_total: float | None
    delivery_gap_total: float | None
    outages: tuple[Outage, ...]


def figures(history: History, events: Sequence[Event]) -> Figures:
    streams = history.streams
    ran = history.window[1] > history.window[0]

    def longest(kind: str) -> float | None:
        gap = worst_gap(history, kind)
        return (gap.seconds if gap else 0.0) if ran else None

    def total(kind: str) -> float | None:
        return sum(end - start for start, end in standstills(history, kind)) if ran else None

    return Figures(
        attempted=sum(s.attempted for s in streams),
        confirmed=sum(s.confirmed.count() for s in streams),
        refused=sum(s.nacked.count() + s.returned.count() for s in streams),
        unknown=sum(s.unknown.count() for s in streams),
        delivered=sum(s.delivered.count() for s in streams),
        lost=sum(s.lost.count() for s in streams),
        recovered=sum(s.recovered.count() for s in streams),
        duplicated=sum(s.repeated.count() for s in streams),
        resent=sum((s.repeated & s.republished).count() for s in streams),
        unexpected=history.unexpected.count,
        connects=sum(c.ok for c in history.connects),
        failed_connects=sum(not c.ok for c in history.connects),
        longest_outage=longest("publish"),
        longest_delivery_gap=longest("deliver"),
        outage_total=total("publish"),
        delivery_gap_total=total("deliver"),
        outages=outages(history, events),
    )


def closed_gaps(history: History, kind: str) -> tuple[Gap, ...]:
    """The gaps of a kind; one that never ended lasts until the load's end. The wait at the end is not one of them."""
    last = history.window[1]
    closed = (
        Gap(g.role, g.kind, g.start, g.end if math.isfinite(g.end) else last) for g in history.gaps if g.kind == kind
    )
    return tuple(gap for gap in closed if kind == "publish" or not _is_the_last_wait(history, gap))


def _is_the_last_wait(history: History, gap: Gap) -> bool:
    """Consumers wait a little after the last message, in case there is another: nobody is kept waiting by that.

    It begins with the last movement there was, while no publisher stood still and nothing confirmed was missing.
    """
    moved = [at for kind in ("publish", "deliver") for at, count in history.rates.get(kind, ()) if count]
    if not moved or gap.start < max(moved) - BUCKET or any(stream.lost.count() for stream in history.streams):
        return False
    return not any(g.kind == "publish" and g.start < gap.end and g.end > gap.start for g in history.gaps)


def worst_gap(history: History, kind: str) -> Gap | None:
    return max(closed_gaps(history, kind), key=lambda gap: gap.seconds, default=None)


def seconds_or_less(gap: float) -> str:
    """In words: the client's meter knows no gap below 0.25 s."""
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


def began_at(history: History, events: Sequence[Event]) -> float:
    """The zero of a scenario's own time: its last ``scenario.begin``, else whatever came first."""
    begins = [event.at for event in events if event.kind == "scenario.begin"]
    if begins:
        return max(begins)
    seen = [event.at for event in events]
    ran = history.window[1] > history.window[0]
    return min([*seen, history.window[0]] if ran else seen, default=0.0)


def outages(history: History, events: Sequence[Event]) -> tuple[Outage, ...]:
    """One for each fault that was injected since the scenario began."""
    zero = began_at(history, events)
    ours = sorted((event for event in events if event.at >= zero), key=lambda event: event.at)
    struck = [event for event in ours if event.kind == "fault.injected"]
    ends = [*(event.at for event in struck), math.inf][1:]
    return tuple(_outage(history, ours, fault, end) for fault, end in zip(struck, ends, strict=True))


def proxy_of(backend: str) -> str:
    """The haproxy section in a subject ``lb1/section/rmq2``; "" in ``lb1/rmq2``."""
    return backend.partition("/")[2].rpartition("/")[0]


def is_down(event: Event) -> bool:
    """A backend of the load's own proxies went DOWN."""
    is_load = not BESIDE_THE_LOAD.search(proxy_of(event.subject))
    return event.kind == "backend" and is_load and event.data.get("state") == "DOWN"


def _outage(history: History, events: Iterable[Event], fault: Event, end: float) -> Outage:
    after = [event for event in events if fault.at < event.at < end]
    gone = next((e.at for e in after if e.kind == "fault.gone" and e.subject == fault.subject), end)
    during = [event for event in after if event.at <= gone]
    found = [
        _first(during, "seen in effect", lambda e: e.kind == "fault.seen" and e.subject == fault.subject),
        _first(during, "first client cut off", lambda e: e.kind == "client" and e.text == "disconnected"),
        _first(during, "new leader", lambda e: e.kind == "leader", lambda e: f"{e.subject} on {e.text}"),
        _first(during, "backend DOWN", is_down),
        _first(
            during,
            "VIP moved",
            lambda e: e.kind == "vip" and bool(e.data.get("held")),
            lambda e: f"{e.subject} to {e.data.get('member', '?')}",
        ),
        *_back(history, after, fault.at, end),
    ]
    phases = [(at, label, detail) for at, label, detail in (row for row in found if row) if at < end]
    ordered = sorted(phases, key=lambda row: row[0])
    return Outage(fault.subject, fault.at, tuple(Phase(label, at - fault.at, detail) for at, label, detail in ordered))


Row = tuple[float, str, str]


def _first(
    events: Iterable[Event],
    label: str,
    sees: Callable[[Event], bool],
    detail: Callable[[Event], str] = lambda e: e.subject,
) -> Row | None:
    return next(((event.at, label, detail(event)) for event in events if sees(event)), None)


def _back(history: History, after: Sequence[Event], struck: float, end: float) -> Iterable[Row | None]:
    """Reconnected, first confirm and first delivery of the clients that stood still longest."""
    confirm, published = _end_of_worst(history, "publish", "first confirm", struck, end)
    delivery, _ = _end_of_worst(history, "deliver", "first delivery", struck, end)

    def is_back(event: Event) -> bool:
        return event.kind == "client" and event.text == "connected" and event.data.get("again") is not False

    if published is not None:
        own = [event for event in after if is_back(event) and event.subject == published.role]
        yield next(((e.at, "client reconnected", e.subject) for e in reversed(own) if e.at <= published.end), None)
    else:
        yield _first(after, "client reconnected", is_back)
        confirm = _first(after, "first confirm", lambda e: e.kind == "client" and e.text == "first_confirm")
    yield confirm
    yield delivery or _first(after, "first delivery", lambda e: e.kind == "client" and e.text == "first_delivery")


def _end_of_worst(history: History, kind: str, label: str, struck: float, end: float) -> tuple[Row | None, Gap | None]:
    """The end of the longest gap that the fault fell into or that began after it; no row if it never ended."""
    gaps = [gap for gap in closed_gaps(history, kind) if gap.end > struck and gap.start < end]
    gap = max(gaps, key=lambda gap: gap.seconds, default=None)
    if gap is None:
        return None, None
    return ((gap.end, label, gap.role) if gap.end < history.window[1] else None), gap
