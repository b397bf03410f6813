"""The ledger of a scenario in plain text: one line a question, one line a stream."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_rmqha.report.figures import figures
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History


def summary(history: History, events: Sequence[Event] = ()) -> str:
    f = figures(history, events)
    lines = [
        f"attempted {f.attempted}, confirmed {f.confirmed}, refused {f.refused}, unknown {f.unknown}",
        f"delivered {f.delivered}, lost {f.lost}, recovered {f.recovered}, duplicated {f.duplicated}, "
        f"unexpected {history.unexpected.count}",
        f"longest without a confirm {_s(f.longest_outage)}, without a delivery {_s(f.longest_delivery_gap)}",
        f"connects: {sum(c.ok for c in history.connects)} good, {sum(not c.ok for c in history.connects)} failed",
    ]
    lines += [f"after the fault: {label} {at:.2f} s" for label, at in f.phases]
    lines += [
        f"{s.name}: attempted {s.attempted}, confirmed {s.confirmed.count()}, unknown {s.unknown.count()}, delivered "
        f"{s.delivered.count()}, lost {s.lost.count()}, duplicated {s.repeated.count()}, unflagged {s.unflagged.count}, "
        f"out of order {s.out_of_order.count}"
        for s in history.streams
    ]
    return "\n".join(lines) + "\n"


def _s(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} s"
