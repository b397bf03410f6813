"""The timeline of a scenario as a static SVG: rates and gaps on top, faults shaded, lanes for leaders, VIP and backends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History

WIDTH, LEFT, RIGHT, TOP, RATE_HEIGHT, LANE = 1200, 190, 20, 64, 180, 24
PUBLISH, DELIVER, FAULT, GOOD, BAD, GREY = "#0072b2", "#e69f00", "#d55e00", "#009e73", "#d55e00", "#bbbbbb"


class _Axis:
    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, max(end, start + 1)

    def x(self, at: float) -> float:
        inside = min(max(at, self.start), self.end)
        return LEFT + (inside - self.start) / (self.end - self.start) * (WIDTH - LEFT - RIGHT)


def plot(history: History, events: Sequence[Event], *, title: str, anchor: datetime) -> str:
    """SVG text, 1200 px wide, no scripts. ``anchor``: UTC time of the first event."""
    start = min([e.at for e in events] or [history.window[0]])
    end = max([e.at for e in events] + [history.window[1]])
    axis = _Axis(start, end)
    lanes = [
        *_holder_lanes(events, axis),
        *_backend_lanes(events, axis),
        *_leader_lanes(events, axis),
        *_client_lane(events, axis),
    ]
    bottom = TOP + RATE_HEIGHT + 16 + LANE * len(lanes)
    body: list[str] = list(_faults(events, axis, bottom))
    body += _rates(history, axis)
    for row, (label, shapes) in enumerate(lanes):
        y = TOP + RATE_HEIGHT + 16 + row * LANE
        body.append(_text(LEFT - 8, y + 16, label, "end"))
        body += [
            shape.replace("{y}", str(y + 4)).replace("{h}", str(LANE - 8)).replace("{t}", str(y + 16))
            for shape in shapes
        ]
    body += _seconds(axis, bottom)
    head = [
        f'<text x="12" y="22" font-size="17" font-weight="bold">{escape(title)}</text>',
        f'<text x="12" y="42" font-size="12" fill="#555">0 s = {anchor:%Y-%m-%d %H:%M:%S.%f} UTC</text>',
        *_legend(),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 40}" width="{WIDTH}" height="{bottom + 40}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        + "".join(head + body)
        + "</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", fill: str = "#222", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}">{escape(text)}</text>'
    )


def _bar(axis: _Axis, a: float, b: float, fill: str, title: str) -> str:
    width = max(axis.x(b) - axis.x(a), 2)
    return f'<rect x="{axis.x(a):.1f}" y="{{y}}" width="{width:.1f}" height="{{h}}" fill="{fill}"><title>{escape(title)}</title></rect>'


def _legend() -> list[str]:
    shown = (("publish/s", PUBLISH), ("deliver/s", DELIVER), ("fault", "#f6d5c3"), ("held / UP", GOOD), ("DOWN", BAD))
    found = []
    for place, (label, colour) in enumerate(shown):
        x = 640 + place * 110
        found.append(f'<rect x="{x}" y="32" width="14" height="12" fill="{colour}"/>' + _text(x + 19, 43, label))
    return found


def _rates(history: History, axis: _Axis) -> list[str]:
    """One-second rates (steps of 0.2 s summed over five)."""
    found = [
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{RATE_HEIGHT}" fill="none" stroke="#ccc"/>'
    ]
    highest = 1.0
    lines = {}
    for kind in ("publish", "deliver"):
        counts = {round(at / 0.2): n for at, n in history.rates.get(kind, ())}
        steps = range(round(history.window[0] / 0.2), round(history.window[1] / 0.2) + 1)
        lines[kind] = [(step * 0.2, sum(counts.get(step - back, 0) for back in range(5))) for step in steps]
        highest = max([highest, *(float(n) for _, n in lines[kind])])
    for kind, colour in (("deliver", DELIVER), ("publish", PUBLISH)):
        points = " ".join(
            f"{axis.x(at):.1f},{TOP + RATE_HEIGHT - n / highest * (RATE_HEIGHT - 8):.1f}" for at, n in lines[kind]
        )
        found.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    for share in (0, 0.5, 1):
        found.append(
            _text(
                LEFT - 8, TOP + RATE_HEIGHT - share * (RATE_HEIGHT - 8) + 4, f"{share * highest:.0f}/s", "end", "#555"
            )
        )
    worst = max((g for g in history.gaps if g.kind == "publish"), key=lambda g: g.seconds, default=None)
    if worst is not None:
        y = TOP + RATE_HEIGHT - 12
        found.append(
            f'<line x1="{axis.x(worst.start):.1f}" x2="{axis.x(worst.end):.1f}" y1="{y}" y2="{y}" stroke="black" stroke-width="3"/>'
        )
        found.append(_text(axis.x(worst.start), y - 6, f"no confirm for {worst.seconds:.1f} s ({worst.role})"))
    return found


def _faults(events: Sequence[Event], axis: _Axis, bottom: float) -> Iterable[str]:
    open_: dict[str, float] = {}
    rows = 0
    for event in events:
        if event.kind == "fault.injected":
            open_[event.subject] = event.at
        elif event.kind == "fault.healed" and event.subject in open_:
            a, b = axis.x(open_.pop(event.subject)), axis.x(event.at)
            yield f'<rect x="{a:.1f}" y="{TOP}" width="{max(b - a, 2):.1f}" height="{bottom - TOP:.1f}" fill="{FAULT}" fill-opacity="0.18"/>'
            yield _text(a + 3, TOP + 14 + 14 * (rows % 3), event.subject, fill="#a03000")
            rows += 1
        elif event.kind == "fault.gone":
            x = axis.x(event.at)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom:.1f}" stroke="{FAULT}" stroke-dasharray="4 3"/>'


def _states(events: Sequence[Event], axis: _Axis, colour: dict[str, str]) -> list[str]:
    """Bars of one subject's states, from its changes; the state before its first change is not known."""
    shapes = []
    for event, until in zip(events, [*(e.at for e in events[1:]), axis.end], strict=True):
        state = str(event.data.get("state", event.text))
        shapes.append(_bar(axis, event.at, until, colour.get(state, GREY), f"{state} for {until - event.at:.1f} s"))
    return shapes


def _grouped(events: Sequence[Event], kind: str, key: str | None) -> dict[str, list[Event]]:
    groups: dict[str, list[Event]] = {}
    for event in sorted((e for e in events if e.kind == kind), key=lambda e: e.at):
        groups.setdefault(str(event.data.get(key)) if key else event.subject, []).append(event)
    return dict(sorted(groups.items()))


def _holder_lanes(events: Sequence[Event], axis: _Axis) -> list[tuple[str, list[str]]]:
    groups = _grouped(events, "vip", "member")
    return [
        (f"VIP on {member}", _states(found, axis, {"held": GOOD, "not held": "#eeeeee"}))
        for member, found in groups.items()
    ]


def _backend_lanes(events: Sequence[Event], axis: _Axis) -> list[tuple[str, list[str]]]:
    groups = {s: found for s, found in _grouped(events, "backend", None).items() if "amqp" in s or "/" not in s}
    return [
        (subject.replace("amqp_brokers/", ""), _states(found, axis, {"UP": GOOD, "DOWN": BAD}))
        for subject, found in groups.items()
    ]


def _leader_lanes(events: Sequence[Event], axis: _Axis) -> list[tuple[str, list[str]]]:
    lanes = []
    for queue, found in _grouped(events, "leader", None).items():
        shapes = [
            _bar(axis, e.at, e.at, "#333333", e.text)
            + f'<text x="{axis.x(e.at) + 4:.1f}" y="{{t}}">{escape(e.text)}</text>'
            for e in found
        ]
        lanes.append((f"leader of {queue}", shapes))
    return lanes


def _client_lane(events: Sequence[Event], axis: _Axis) -> list[tuple[str, list[str]]]:
    colours = {
        "disconnected": BAD,
        "cancelled": BAD,
        "connected": GOOD,
        "first_confirm": PUBLISH,
        "first_delivery": DELIVER,
    }
    shapes = [
        _bar(axis, e.at, e.at, colours[e.text], f"{e.subject} {e.text}")
        for e in events
        if e.kind == "client" and e.text in colours
    ]
    return [("clients cut / back", shapes)] if shapes else []


def _seconds(axis: _Axis, bottom: float) -> list[str]:
    length = axis.end - axis.start
    step = next(s for s in (1, 2, 5, 10, 20, 60, 120, 600) if length / s <= 16)
    found = []
    for number in range(int(length // step) + 1):
        x = axis.x(axis.start + number * step)
        found.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#eeeeee"/>')
        found.append(_text(x, bottom + 18, f"{number * step} s", "middle", "#555"))
    return found
