"""The timeline of a scenario as one static SVG: rates with their gaps, faults shaded, and a lane for all that changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from pytest_rmqha.report import lanes, rates, svg
from pytest_rmqha.report.fault_spells import began_at, fault_spells
from pytest_rmqha.report.figures import figures
from pytest_rmqha.report.heading import facts, heading, latency_line, phases_line
from pytest_rmqha.report.latency import KINDS, latencies
from pytest_rmqha.report.phase_lane import phase_lanes
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History

WIDTH, LEFT, RIGHT = 1000, 152, 14
GROUP_GAP, PANEL_GAP = 8, 14


def plot(history: History, events: Sequence[Event], *, title: str, anchor: datetime) -> str:
    """SVG text, 1000 px wide, made to be read without zooming.

    0 s is the last ``scenario.begin`` among the events (else whatever came first) and ``anchor`` is its UTC time.
    Events before it only tell the states at the start, so pass the whole timeline up to the scenario's end. Empty
    history and no events give an empty plot, not an error.
    """
    ordered = sorted(events, key=lambda event: event.at)
    start = began_at(history, ordered)
    end = max(
        [*(e.at for e in ordered), *(g.end for g in history.gaps if math.isfinite(g.end)), history.window[1], start + 1]
    )
    axis = svg.Axis(start, end, LEFT, WIDTH - RIGHT)
    numbers = figures(history, ordered)
    lines = [
        facts(numbers, bool(history.streams), anchor, end - start),
        phases_line(numbers.outages),
        *(latency_line(kind, latencies(history, ordered, kind)) for kind in KINDS),
    ]
    head, head_bottom = heading(title, lines, WIDTH)
    top = head_bottom + 4
    found = lanes.all_lanes(ordered, axis)
    found[sum(lane.group == "faults" for lane in found) : 0] = phase_lanes(numbers.outages, axis)
    rows, panels = _placed(found, top)
    bottom = max([at for at, _ in rows] + [panels + 2 * rates.HEIGHT + PANEL_GAP - lanes.HEIGHT]) + lanes.HEIGHT
    body = [*_shades(ordered, axis, top, bottom), *_grid(axis, top, bottom, anchor)]
    body += rates.panel(history, "publish", axis, panels)
    body += rates.panel(history, "deliver", axis, panels + rates.HEIGHT + PANEL_GAP)
    for at, lane in rows:
        body.append(svg.text(LEFT - 10, at + 15, svg.shortened(lane.label, LEFT - 14), anchor="end"))
        body += lane.draw(at)
    height = bottom + 46
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" '
        f'role="img" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'{svg.PATTERNS}<rect width="100%" height="100%" fill="white"/>' + "".join([*head, *body]) + "</svg>"
    )


def _placed(found: Sequence[lanes.Lane], start: float) -> tuple[list[tuple[float, lanes.Lane]], float]:
    """Faults and their phases above the panels, the other groups below, with a little air between groups; and the panels' top."""
    above = [lane for lane in found if lane.group == "faults"]
    rows = [(start + place * lanes.HEIGHT, lane) for place, lane in enumerate(above)]
    panels = start + len(above) * lanes.HEIGHT + 6.0
    top, group = panels + 2 * rates.HEIGHT + PANEL_GAP + 4, ""
    for lane in found:
        if lane.group == "faults":
            continue
        top += GROUP_GAP if lane.group != group else 0
        rows.append((top, lane))
        top, group = top + lanes.HEIGHT, lane.group
    return rows, panels


def _shades(events: Sequence[Event], axis: svg.Axis, top: float, bottom: float) -> list[str]:
    shapes = []
    for spell in fault_spells(events, axis.start, axis.end):
        a, b, c = axis.x(spell.injected), axis.x(spell.healed), axis.x(spell.gone)
        shapes.append(svg.rect(a, top, max(b - a, 2), bottom - top, svg.FAULT, opacity=0.16))
        shapes.append(svg.rect(b, top, c - b, bottom - top, svg.FAULT, opacity=0.06))
    return shapes


def _grid(axis: svg.Axis, top: float, bottom: float, anchor: datetime) -> list[str]:
    """A line and a label a tick; the UTC time stands under every second one."""
    shapes = [svg.line(axis.left, bottom, axis.right, bottom, svg.SOFT)]
    for place, second in enumerate(axis.ticks()):
        x = axis.x(axis.start + second)
        edge = "end" if x > axis.right - 24 else "middle"
        shapes.append(svg.line(x, top, x, bottom + 5, svg.RULE))
        shapes.append(svg.text(x, bottom + 19, f"{second} s", anchor=edge, size=12))
        if place % 2 == 0:
            shapes.append(
                svg.text(
                    x,
                    bottom + 35,
                    f"{anchor + timedelta(seconds=second):%H:%M:%S}",
                    anchor=edge,
                    fill=svg.SOFT,
                    size=11,
                )
            )
    shapes.append(svg.text(axis.left - 30, bottom + 35, "UTC", anchor="end", fill=svg.SOFT, size=11))
    return shapes
