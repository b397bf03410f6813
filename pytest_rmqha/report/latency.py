"""Percentiles of the load's latencies before, during and after the faults, from the histograms of each second.

What was never confirmed, or never arrived, has no latency, and what a full window kept from being sent was never on its
way: read them beside the gaps and the counts of unknown and lost messages.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_rmqha.report.fault_spells import began_at, fault_spells
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History

KINDS = {"publish": "confirm", "deliver": "end to end"}
WHOLE, BEFORE, DURING, AFTER = "whole load", "before", "during", "after"
RANKS = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True)
class Percentiles:
    """Of ``count`` messages, in seconds; by nearest rank, at most 3.2 % off."""

    count: int
    p50: float
    p90: float
    p99: float
    max: float

    def __str__(self) -> str:
        return ", ".join(f"{rank} {milliseconds(getattr(self, rank))} ms" for rank in RANKS)


def latencies(history: History, events: Sequence[Event], kind: str) -> dict[str, Percentiles]:
    """Window -> percentiles of a kind (``publish``: until the confirm, ``deliver``: until the first arrival).

    *Before*: answered before the first fault was injected. *After*: sent after the last one was seen gone. *During*:
    the rest, so whatever was on its way in that time; up to a second more on either side, for the histograms are by
    second. Without a fault all are of the *whole load*. A window without a message is left out.
    """
    faults = fault_spells(events, began_at(history, events))
    first = min((fault.injected for fault in faults), default=math.inf)
    last = max((fault.gone for fault in faults), default=math.inf)
    counts: dict[str, Counter[int]] = {name: Counter() for name in (WHOLE, BEFORE, DURING, AFTER)}
    for second, steps in history.latencies.get(kind, ()):
        for micros, count in steps:
            if not faults:
                window = WHOLE
            elif second + 1 <= first:
                window = BEFORE
            else:
                window = AFTER if second - micros / 1e6 >= last else DURING
            counts[window][micros] += count
    return {name: percentiles(found) for name, found in counts.items() if found}


def percentiles(counts: Mapping[int, int]) -> Percentiles:
    """Of µs -> how many; there is at least one."""
    total = sum(counts.values())
    ordered = sorted(counts.items())

    def ranked(share: float) -> float:
        rank, seen = math.ceil(share * total), 0
        for micros, count in ordered:
            seen += count
            if seen >= rank:
                return micros / 1e6
        return ordered[-1][0] / 1e6

    return Percentiles(total, **{name: ranked(share) for name, share in RANKS.items()})


def milliseconds(seconds: float) -> str:
    """Three digits that mean something: 0.84, 12.3, 4,510."""
    value = seconds * 1e3
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
