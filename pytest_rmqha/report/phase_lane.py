"""The lane of the plot that splits each outage into its phases; the longest one stands out and is told in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from pytest_rmqha.report import svg
from pytest_rmqha.report.lanes import HEIGHT, Lane
from pytest_rmqha.report.phases import Outage, Phase

LOUD, PLAIN = "#f0e442", ("#dfe4ea", "#c3ccd6")


def phase_lanes(outages: Sequence[Outage], axis: svg.Axis) -> Iterator[Lane]:
    """None if no client stood still. Outages whose words would run into the next bar get a lane of their own."""
    rows: list[list[Outage]] = []
    for outage in (one for one in outages if one.phases):
        row = next((row for row in rows if _ends(row[-1], axis) + 8 < _span(outage, axis)[0]), None)
        if row is None:
            row = []
            rows.append(row)
        row.append(outage)
    for place, row in enumerate(rows):
        yield Lane("faults", "outage, by phase" if place == 0 else "", partial(_outages, row, axis))


def _span(outage: Outage, axis: svg.Axis) -> tuple[float, float]:
    since, until = outage.stood or (0.0, 0.0)
    return axis.x(outage.struck + since), axis.x(outage.struck + until)


def _words(outage: Outage) -> str:
    longest = outage.dominating
    return f"{outage.seconds:.1f} s, longest: {longest}" if longest else ""


def _is_left(outage: Outage, axis: svg.Axis) -> bool:
    """No room for the words behind the bar."""
    return _span(outage, axis)[1] + svg.width_of(_words(outage)) + 8 > axis.right


def _ends(outage: Outage, axis: svg.Axis) -> float:
    end = _span(outage, axis)[1]
    return end if _is_left(outage, axis) else end + svg.width_of(_words(outage)) + 8


def _outages(row: Sequence[Outage], axis: svg.Axis, top: float) -> list[str]:
    return [shape for outage in row for shape in _outage(outage, axis, top)]


def _outage(outage: Outage, axis: svg.Axis, top: float) -> list[str]:
    start, end = _span(outage, axis)
    shapes = []
    for place, phase in enumerate(outage.phases):
        shapes += _phase(outage, phase, PLAIN[place % 2], axis, top)
    shapes.append(svg.rect(start, top + 3, max(end - start, 2), HEIGHT - 6, "none", more=f' stroke="{svg.INK}"'))
    if not _is_left(outage, axis):
        return [*shapes, svg.text(end + 6, top + 15, _words(outage), bold=True, halo=True)]
    words = svg.shortened(_words(outage), start - 6 - axis.left)
    return [*shapes, svg.text(start - 6, top + 15, words, anchor="end", bold=True, halo=True)]


def _phase(outage: Outage, phase: Phase, plain: str, axis: svg.Axis, top: float) -> list[str]:
    a, b = (axis.x(outage.struck + at) for at in (phase.start, phase.start + phase.seconds))
    told = f"{phase}" + (f" ({phase.detail})" if phase.detail else "")
    fill = LOUD if phase == outage.dominating else plain
    said = next((text for text in (str(phase), phase.label) if svg.width_of(text, 11) <= b - a - 8), "")
    shapes = [svg.rect(a, top + 3, b - a, HEIGHT - 6, fill, title=told)]
    return [*shapes, svg.text((a + b) / 2, top + 15, said, anchor="middle", size=11)] if said else shapes
