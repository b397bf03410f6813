"""The timeline of a scenario as one static SVG: rates with their gaps, faults shaded, and a lane for all that changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from html import escape

from pytest_rmqha.report import lanes, rates, svg
from pytest_rmqha.report.figures import began_at, figures, seconds_or_less
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History

WIDTH, LEFT, RIGHT = 1200, 176, 16
TOP, GROUP_GAP, PANEL_GAP = 92, 8, 14


def plot(history: History, events: Sequence[Event], *, title: str, anchor: datetime) -> str:
    """SVG text, 1200 px wide, made to be read without zooming.

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
    rows, top_of_panels = _placed(lanes.all_lanes(ordered, axis))
    bottom = (
        max([top for top, _ in rows] + [top_of_panels + 2 * rates.HEIGHT + PANEL_GAP - lanes.HEIGHT]) + lanes.HEIGHT
    )
    body = [*_shades(ordered, axis, bottom), *_grid(axis, bottom, anchor)]
    body += rates.panel(history, "publish", axis, top_of_panels)
    body += rates.panel(history, "deliver", axis, top_of_panels + rates.HEIGHT + PANEL_GAP)
    for top, lane in rows:
        body.append(svg.text(LEFT - 10, top + 15, svg.shortened(lane.label, LEFT - 14), anchor="end"))
        body += lane.draw(top)
    height = bottom + 46
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" '
        f'role="img" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'{svg.PATTERNS}<rect width="100%" height="100%" fill="white"/>'
        + "".join([*_head(history, ordered, title, anchor, axis), *body])
        + "</svg>"
    )


def _placed(found: Sequence[lanes.Lane]) -> tuple[list[tuple[float, lanes.Lane]], float]:
    """Faults above the panels, the other groups below, with a little air between groups; and the panels' top."""
    above = [lane for lane in found if lane.group == "faults"]
    rows = [(TOP + place * lanes.HEIGHT + 0.0, lane) for place, lane in enumerate(above)]
    panels = TOP + len(above) * lanes.HEIGHT + 6.0
    top, group = panels + 2 * rates.HEIGHT + PANEL_GAP + 4, ""
    for lane in found:
        if lane.group == "faults":
            continue
        top += GROUP_GAP if lane.group != group else 0
        rows.append((top, lane))
        top, group = top + lanes.HEIGHT, lane.group
    return rows, panels


def _head(history: History, events: Sequence[Event], title: str, anchor: datetime, axis: svg.Axis) -> list[str]:
    f = figures(history, events)
    told = [f"0 s = {anchor:%Y-%m-%d %H:%M:%S}.{anchor.microsecond // 1000:03d} UTC", f"{axis.end - axis.start:.0f} s"]
    if history.streams:
        told += [
            f"{f.confirmed:,} of {f.attempted:,} confirmed",
            f"{f.lost:,} lost",
            f"{f.unknown:,} unknown",
            f"{f.duplicated:,} duplicated",
        ]
    if f.longest_outage is not None and f.longest_delivery_gap is not None:
        told += [
            f"worst publish gap {seconds_or_less(f.longest_outage)}, delivery gap {seconds_or_less(f.longest_delivery_gap)}"
        ]
    return [
        svg.text(14, 26, svg.shortened(title, WIDTH - 28, 18), size=18, bold=True),
        svg.text(14, 47, "  ·  ".join(told), fill=svg.SOFT, size=13),
        *_legend(),
    ]


def _legend() -> list[str]:
    y = 68
    swatches: tuple[tuple[str, Callable[[float], str]], ...] = (
        ("fault in effect", lambda x: svg.rect(x, y - 7, 18, 13, svg.FAULT)),
        ("healed, not yet gone", lambda x: svg.rect(x, y - 7, 18, 13, "url(#healing)", more=f' stroke="{svg.FAULT}"')),
        ("a client stands still", lambda x: svg.rect(x, y - 7, 18, 13, "url(#gap)")),
        ("VIP held", lambda x: svg.rect(x, y - 7, 18, 13, svg.PUBLISH)),
        ("backend UP", lambda x: svg.rect(x, y - 2, 18, 4, svg.GOOD)),
        ("DOWN", lambda x: svg.rect(x, y - 7, 18, 13, svg.BAD)),
        ("client cut off", lambda x: svg.cross(x + 9, y, svg.BAD)),
        ("connected", lambda x: svg.dot(x + 9, y, svg.GOOD)),
        ("first confirm", lambda x: svg.diamond(x + 9, y, svg.PUBLISH)),
        ("first delivery", lambda x: svg.diamond(x + 9, y, svg.DELIVER)),
    )
    shapes, x = [], 14.0
    for words, swatch in swatches:
        shapes += [swatch(x), svg.text(x + 23, y + 4, words, fill=svg.SOFT)]
        x += 23 + svg.width_of(words) + 18
    return shapes


def _shades(events: Sequence[Event], axis: svg.Axis, bottom: float) -> list[str]:
    shapes = []
    for spell in lanes.fault_spells(events, axis):
        a, b, c = axis.x(spell.injected), axis.x(spell.healed), axis.x(spell.gone)
        shapes.append(svg.rect(a, TOP, max(b - a, 2), bottom - TOP, svg.FAULT, opacity=0.16))
        shapes.append(svg.rect(b, TOP, c - b, bottom - TOP, svg.FAULT, opacity=0.06))
    return shapes


def _grid(axis: svg.Axis, bottom: float, anchor: datetime) -> list[str]:
    """A line and a label a tick; the UTC time stands under every second one."""
    shapes = [svg.line(axis.left, bottom, axis.right, bottom, svg.SOFT)]
    for place, second in enumerate(axis.ticks()):
        x = axis.x(axis.start + second)
        edge = "end" if x > axis.right - 24 else "middle"
        shapes.append(svg.line(x, TOP, x, bottom + 5, svg.RULE))
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
