"""The numbers of a scenario by name, for machines: JUnit properties and Allure's performance metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pytest_rmqha.report.figures import figures
from pytest_rmqha.report.latency import KINDS, RANKS, latencies
from pytest_rmqha.report.outages import outages
from pytest_rmqha.report.phases import Outage, told
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History


def properties(history: History, events: Sequence[Event]) -> list[tuple[str, str]]:
    """``rmq.outage.N.*`` of the Nth fault, in seconds, and ``rmq.latency.KIND.WINDOW.RANK_ms``."""
    found = outages(history, events)
    rows: list[tuple[str, str]] = []
    for number, outage in enumerate(found, 1):
        rows.append((f"rmq.outage.{number}.fault", outage.fault))
        rows.append((f"rmq.outage.{number}.seconds", f"{outage.seconds:.3f}"))
        rows += [(f"rmq.outage.{number}.phase.{name}", f"{seconds:.3f}") for name, seconds in _phases(outage).items()]
        if outage.dominating is not None:
            rows.append((f"rmq.outage.{number}.dominating", outage.dominating.label))
    if line := told(found):
        rows.append(("rmq.dominating", line))
    return rows + [(f"rmq.{name}_ms", f"{value:.3f}") for name, value in _latencies(history, events)]


def measurements(name: str, history: History, events: Sequence[Event], start: int, stop: int) -> list[dict[str, Any]]:
    """Rows of a ``performance.json``, values in milliseconds; ``start`` and ``stop`` in milliseconds since the epoch.

    Of several faults the longest of each phase. Format: https://allurereport.org/docs/performance-metrics/
    """
    values: dict[str, float] = {}
    numbers = figures(history, events)
    for key, seconds in (("publish", numbers.longest_outage), ("deliver", numbers.longest_delivery_gap)):
        if seconds is not None:
            values[f"outage.{key}"] = seconds * 1e3
    for outage in numbers.outages:
        for phase, seconds in _phases(outage).items():
            values[f"phase.{phase}"] = max(values.get(f"phase.{phase}", 0.0), seconds * 1e3)
    values |= dict(_latencies(history, events))
    return [
        {"id": name, "key": key, "value": round(value, 3), "start": start, "stop": stop}
        for key, value in values.items()
    ]


def _phases(outage: Outage) -> dict[str, float]:
    """Name -> seconds; two leaders that were waited for one after the other are one row."""
    found: dict[str, float] = {}
    for phase in outage.phases:
        name = _name(phase.label)
        found[name] = found.get(name, 0.0) + phase.seconds
    return found


def _latencies(history: History, events: Sequence[Event]) -> Iterator[tuple[str, float]]:
    for kind, words in KINDS.items():
        for window, found in latencies(history, events, kind).items():
            for rank in RANKS:
                yield f"latency.{_name(words)}.{_name(window)}.{rank}", getattr(found, rank) * 1e3


def _name(label: str) -> str:
    return label.lower().replace(" ", "_")
