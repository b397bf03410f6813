"""The two upper panels of the plot: confirms and deliveries a second as areas, the stretches without any hatched."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from pytest_rmqha.report import svg
from pytest_rmqha.report.gaps import BUCKET, standstills, worst_gap
from pytest_rmqha.workload.history import History

HEIGHT = 112
MOST_BINS = 450
WORDS = {"publish": ("confirms", "no confirm", svg.PUBLISH), "deliver": ("deliveries", "no delivery", svg.DELIVER)}


def panel(history: History, kind: str, axis: svg.Axis, top: float) -> list[str]:
    what, nothing, colour = WORDS[kind]
    bottom = top + HEIGHT
    bins = rates(history, kind, axis)
    highest, peak = scale([rate for _, _, rate in bins])

    def y(rate: float) -> float:
        return bottom - min(rate / highest, 1) * (HEIGHT - 14)

    shapes = [
        svg.text(axis.left - 10, top + 48, f"{what} / s", anchor="end", bold=True, fill=colour),
        svg.text(axis.left - 10, top + 64, "of all clients", anchor="end", fill=svg.SOFT, size=11),
    ]
    for share in (0.0, 0.5, 1.0):
        shapes.append(svg.line(axis.left, y(share * highest), axis.right, y(share * highest), svg.RULE))
    shapes += [
        svg.rect(
            axis.x(a), top, max(axis.x(b) - axis.x(a), 1.5), HEIGHT, "url(#gap)", title=f"{nothing} for {b - a:.2f} s"
        )
        for a, b in standstills(history, kind)
    ]
    if bins:
        steps = " ".join(f"L{axis.x(a):.1f} {y(rate):.1f}H{axis.x(b):.1f}" for a, b, rate in bins)
        edges = f"M{axis.x(bins[0][0]):.1f} {bottom:.1f}{steps}V{bottom:.1f}"
        shapes.append(f'<path d="{edges}z" fill="{colour}" fill-opacity="0.22"/>')
        shapes.append(f'<path d="{edges}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
    else:
        shapes.append(
            svg.text((axis.left + axis.right) / 2, top + HEIGHT / 2, f"no {what}", anchor="middle", fill=svg.SOFT)
        )
    shapes.append(svg.line(axis.left, bottom, axis.right, bottom, svg.SOFT))
    if bins:
        shapes += [
            svg.text(
                axis.left + 4, y(share * highest) + 4, f"{share * highest:,.0f}", fill=svg.SOFT, size=11, halo=True
            )
            for share in (0.5, 1.0)
        ]
    if peak > highest:
        words = f"cut off, peak {peak:,.0f}"
        shapes.append(svg.text(axis.left - 10, top + 80, words, anchor="end", fill=svg.SOFT, size=11))
    return shapes + _worst(history, kind, nothing, axis, top)


def _worst(history: History, kind: str, nothing: str, axis: svg.Axis, top: float) -> list[str]:
    """The longest gap of one client, bracketed and told in words."""
    gap = worst_gap(history, kind)
    if gap is None:
        return []
    still = " and on" if gap.end >= history.window[1] else ""
    words = f"{nothing} for {gap.seconds:.1f} s{still} ({gap.role})"
    a, b, y = axis.x(gap.start), axis.x(gap.end), top + 30
    half = svg.width_of(words) / 2
    middle = min(max((a + b) / 2, axis.left + half + 40), axis.right - half - 4)
    return [
        svg.line(a, y, b, y, svg.INK, width=1.6),
        svg.line(a, y - 5, a, y + 5, svg.INK, width=1.6),
        svg.line(b, y - 5, b, y + 5, svg.INK, width=1.6),
        svg.text(middle, y - 8, words, anchor="middle", bold=True, halo=True),
    ]


def rates(history: History, kind: str, axis: svg.Axis) -> list[tuple[float, float, float]]:
    """(start, end, messages a second) over the load's running time, in at most about 450 equal bins."""
    counts = Counter[int]()
    for at, count in history.rates.get(kind, ()):
        counts[round(at / BUCKET)] += count
    if not counts:
        return []
    wide = max(1, math.ceil((axis.end - axis.start) / BUCKET / MOST_BINS))
    first = min([math.floor(history.window[0] / BUCKET), min(counts)])
    last = max([math.floor(history.window[1] / BUCKET), max(counts)])
    return [
        (low * BUCKET, (low + wide) * BUCKET, sum(counts[low + n] for n in range(wide)) / (wide * BUCKET))
        for low in range(first, last + 1, wide)
    ]


def scale(values: Sequence[float]) -> tuple[float, float]:
    """(top of the axis, peak). A rare peak above three times the usual rate is cut off, or it would flatten the rest."""
    moving = sorted(value for value in values if value)
    if not moving:
        return 1.0, 0.0
    peak, usual = moving[-1], moving[int(len(moving) * 0.9)]
    return _nice(usual * 1.5 if peak > 3 * usual else peak), peak


def _nice(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999)
