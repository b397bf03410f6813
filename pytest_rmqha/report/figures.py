"""The numbers of one scenario, from its history and its part of the timeline. Times in seconds, counts in messages.

Events from before ``scenario.begin`` are left out, so a caller may pass the whole timeline up to the scenario's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_rmqha.report.gaps import standstills, worst_gap
from pytest_rmqha.report.outages import outages
from pytest_rmqha.report.phases import Outage
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History


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
