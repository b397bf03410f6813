"""What stands above the lanes of the plot: title, numbers, latencies and the legend, as many lines as they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pytest_rmqha.report import svg
from pytest_rmqha.report.figures import Figures
from pytest_rmqha.report.gaps import seconds_or_less
from pytest_rmqha.report.latency import KINDS, RANKS, Percentiles, milliseconds
from pytest_rmqha.report.phase_lane import LOUD
from pytest_rmqha.report.phases import Outage, worst

LEFT, LINE, DOT = 14, 19, "  ·  "
SWATCHES: tuple[tuple[str, Callable[[float, float], str]], ...] = (
    ("fault in effect", lambda x, y: svg.rect(x, y - 7, 18, 13, svg.FAULT)),
    ("healed, not yet gone", lambda x, y: svg.rect(x, y - 7, 18, 13, "url(#healing)", more=f' stroke="{svg.FAULT}"')),
    ("longest phase", lambda x, y: svg.rect(x, y - 7, 18, 13, LOUD, more=f' stroke="{svg.INK}"')),
    ("a client stands still", lambda x, y: svg.rect(x, y - 7, 18, 13, "url(#gap)")),
    ("VIP held", lambda x, y: svg.rect(x, y - 7, 18, 13, svg.PUBLISH)),
    ("UP", lambda x, y: svg.rect(x, y - 2, 18, 4, svg.GOOD)),
    ("DOWN", lambda x, y: svg.rect(x, y - 7, 18, 13, svg.BAD)),
    ("leader change", lambda x, y: svg.line(x + 9, y - 8, x + 9, y + 7, svg.INK, width=2.4)),
    ("client cut off", lambda x, y: svg.cross(x + 9, y, svg.BAD)),
    ("connected", lambda x, y: svg.dot(x + 9, y, svg.GOOD)),
    ("first confirm", lambda x, y: svg.diamond(x + 9, y, svg.PUBLISH)),
    ("first delivery", lambda x, y: svg.diamond(x + 9, y, svg.DELIVER)),
)


def heading(title: str, lines: Sequence[str], width: float) -> tuple[list[str], float]:
    """Its shapes and how high they are together."""
    shapes = [svg.text(LEFT, 26, svg.shortened(title, width - 2 * LEFT, 18), size=18, bold=True)]
    y = 28.0
    for row in (row for line in lines for row in _wrapped(line, width - 2 * LEFT)):
        y += LINE
        shapes.append(svg.text(LEFT, y, row, fill=svg.SOFT, size=13))
    drawn, y = _legend(y + LINE, width)
    return [*shapes, *drawn], y + LINE


def facts(f: Figures, has_load: bool, anchor: datetime, length: float) -> str:
    """When it was, what became of the messages, how long clients stood still."""
    told = [f"0 s = {anchor:%Y-%m-%d %H:%M:%S}.{anchor.microsecond // 1000:03d} UTC", f"{length:.0f} s"]
    if has_load:
        told += [f"{f.confirmed:,} of {f.attempted:,} confirmed", f"{f.lost:,} lost"]
        told += [f"{f.unknown:,} unknown", f"{f.duplicated:,} duplicated"]
    if f.longest_outage is not None and f.longest_delivery_gap is not None:
        told.append(f"worst publish gap {seconds_or_less(f.longest_outage)}")
        told.append(f"worst delivery gap {seconds_or_less(f.longest_delivery_gap)}")
    return DOT.join(told)


def phases_line(outages: Sequence[Outage]) -> str:
    """The worst outage, phase after phase; "" if no client stood still."""
    outage = worst(outages)
    if outage is None:
        return ""
    return f"worst outage {outage.seconds:.2f} s:  {DOT.join(map(str, outage.phases))}"


def latency_line(kind: str, found: dict[str, Percentiles]) -> str:
    """``confirm p50/p90/p99/max in ms: before 3.1/… · during …``; "" without any."""
    told = [
        f"{window} {' / '.join(milliseconds(getattr(row, rank)) for rank in RANKS)}" for window, row in found.items()
    ]
    return f"{KINDS[kind]} {' / '.join(RANKS)} in ms:  {DOT.join(told)}" if told else ""


def _wrapped(line: str, room: float) -> list[str]:
    """At its dots, so that no number is cut."""
    rows: list[str] = []
    for part in filter(None, line.split(DOT)):
        joined = DOT.join((rows[-1], part)) if rows else part
        if rows and svg.width_of(joined, 13) <= room:
            rows[-1] = joined
        else:
            rows.append(part)
    return rows


def _legend(y: float, width: float) -> tuple[list[str], float]:
    shapes: list[str] = []
    x = float(LEFT)
    for words, swatch in SWATCHES:
        needed = 23 + svg.width_of(words)
        if x > LEFT and x + needed > width - LEFT:
            x, y = float(LEFT), y + LINE
        shapes += [swatch(x, y), svg.text(x + 23, y + 4, words, fill=svg.SOFT)]
        x += needed + 18
    return shapes, y
