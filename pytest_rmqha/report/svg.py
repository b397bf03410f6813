"""The few SVG shapes that the plot is made of, the axis of time, and the colours (Okabe and Ito's, colour-blind safe).

Static on purpose: attachments in a report lose their scripts. Nothing rests on colour alone: outage and DOWN are hatched
or tall, held and UP are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

PUBLISH, DELIVER, GOOD, BAD, FAULT = "#0072b2", "#b06a00", "#009e73", "#d55e00", "#cc79a7"
INK, SOFT, RULE, BAND = "#1f2933", "#52606d", "#e4e7eb", "#cbd2d9"
NARROW, WIDE = "ijltfI.,:;'|()[]/ ", "mwMW@%—"
NICE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)

PATTERNS = (
    '<defs><pattern id="gap" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="7" height="7" fill="{BAD}" fill-opacity="0.10"/>'
    f'<line x1="0" y1="0" x2="0" y2="7" stroke="{BAD}" stroke-opacity="0.55" stroke-width="2"/></pattern>'
    '<pattern id="healing" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">'
    f'<line x1="0" y1="0" x2="0" y2="6" stroke="{FAULT}" stroke-width="2"/></pattern></defs>'
)


@dataclass(frozen=True)
class Axis:
    """Monotonic seconds ``start``..``end`` on the pixels ``left``..``right``."""

    start: float
    end: float
    left: float
    right: float

    def x(self, at: float) -> float:
        """What is outside sits on the edge."""
        inside = min(max(at, self.start), self.end)
        return self.left + (inside - self.start) / (self.end - self.start) * (self.right - self.left)

    def ticks(self, most: int = 14) -> Iterator[int]:
        """Whole seconds since the start, at a distance that reads well."""
        length = self.end - self.start
        step = next((s for s in NICE_STEPS if length / s <= most), int(length // most) + 1)
        yield from range(0, int(length) + 1, step)


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    size: float = 12,
    bold: bool = False,
    halo: bool = False,
) -> str:
    weight = ' font-weight="600"' if bold else ""
    outline = ' stroke="white" stroke-width="4" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size:g}"{weight}{outline}>'
        f"{escape(words)}</text>"
    )


def rect(
    x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1, title: str = "", more: str = ""
) -> str:
    seen = f' fill-opacity="{opacity:g}"' if opacity != 1 else ""
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" fill="{fill}"{seen}{more}'
    return f"{shape}><title>{escape(title)}</title></rect>" if title else f"{shape}/>"


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, *, width: float = 1, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" stroke-width="{width:g}"{dashed}/>'


def cross(x: float, y: float, stroke: str, title: str = "") -> str:
    told = f"<title>{escape(title)}</title>" if title else ""
    return f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="{stroke}" stroke-width="2.4" fill="none">{told}</path>'


def diamond(x: float, y: float, fill: str, title: str = "") -> str:
    told = f"<title>{escape(title)}</title>" if title else ""
    return f'<path d="M{x:.1f} {y - 6:.1f}l5 6l-5 6l-5 -6z" fill="{fill}" stroke="white">{told}</path>'


def dot(x: float, y: float, fill: str, title: str = "") -> str:
    told = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="white">{told}</circle>'


def width_of(words: str, size: float = 12) -> float:
    """Roughly, in a sans-serif face: nothing can be measured here."""
    return sum(0.3 if c in NARROW else 0.86 if c in WIDE else 0.68 if c.isupper() else 0.56 for c in words) * size


def shortened(words: str, room: float, size: float = 12) -> str:
    """What fits into ``room`` pixels, with … for the rest; nothing if not even four letters fit."""
    if width_of(words, size) <= room:
        return words
    most = next((n for n in range(len(words), 0, -1) if width_of(words[:n] + "…", size) <= room), 0)
    return words[:most] + "…" if most >= 3 else ""
