"""The lanes of the plot: faults, leaders, VIP holders, backend states and the clients that were cut off.

Watchers record changes only. What came before ``axis.start`` sets the state of VIP and backends at the start; where
nothing did, a dotted line says that the state is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from pytest_rmqha.report import svg
from pytest_rmqha.report.fault_spells import FaultSpell, fault_spells
from pytest_rmqha.report.outages import BESIDE_THE_LOAD, proxy_of
from pytest_rmqha.timeline import Event

HEIGHT = 22
MOST_CLIENTS = 8
APART = 9
MARKED = ("disconnected", "cancelled", "connected", "first_confirm", "first_delivery")

Draw = Callable[[float], list[str]]


@dataclass(frozen=True)
class Lane:
    """``draw(top)`` are its shapes, ``HEIGHT`` pixels high. ``group``: lanes of one group stand together."""

    group: str
    label: str
    draw: Draw


@dataclass(frozen=True)
class Spell:
    """A state and how long it lasted, cut at the axis' ends."""

    state: str
    start: float
    end: float


def all_lanes(events: Sequence[Event], axis: svg.Axis) -> list[Lane]:
    return [
        *_fault_lanes(events, axis),
        *_peer_lanes(events, axis),
        *_leader_lanes(events, axis),
        *_vip_lanes(events, axis),
        *_backend_lanes(events, axis),
        *_client_lanes(events, axis),
    ]


def _fault_lanes(events: Sequence[Event], axis: svg.Axis) -> Iterator[Lane]:
    """As many lanes as faults stand at the same time."""
    rows: list[list[FaultSpell]] = []
    for spell in fault_spells(events, axis.start, axis.end):
        room = _room(spell)
        row = next((row for row in rows if _ends(row[-1], axis) < axis.x(spell.injected)), None)
        if row is None or axis.x(spell.injected) + room > axis.right:
            row = []
            rows.append(row)
        row.append(spell)
    for place, row in enumerate(rows):
        yield Lane("faults", "fault" if place == 0 else "", partial(_faults, row, axis))


def _faults(row: Sequence[FaultSpell], axis: svg.Axis, top: float) -> list[str]:
    return [shape for spell in row for shape in _fault(spell, axis, top)]


def _words(spell: FaultSpell) -> str:
    return f"{spell.title}, {spell.healed - spell.injected:.1f} s"


def _room(spell: FaultSpell) -> float:
    return svg.width_of(_words(spell)) + 12


def _ends(spell: FaultSpell, axis: svg.Axis) -> float:
    return max(axis.x(spell.gone), axis.x(spell.injected) + _room(spell))


def _fault(spell: FaultSpell, axis: svg.Axis, top: float) -> list[str]:
    a, b, c = axis.x(spell.injected), axis.x(spell.healed), axis.x(spell.gone)
    told = (
        f"{spell.title}: {spell.healed - spell.injected:.1f} s, then {spell.gone - spell.healed:.1f} s until seen gone"
    )
    x, anchor = (a + 5, "start") if a + _room(spell) < axis.right else (axis.right - 4, "end")
    return [
        svg.rect(b, top + 3, c - b, HEIGHT - 6, "url(#healing)", more=f' stroke="{svg.FAULT}"', title=told),
        svg.rect(a, top + 3, max(b - a, 3), HEIGHT - 6, svg.FAULT, title=told),
        svg.text(x, top + 15, _words(spell), anchor=anchor, bold=True, halo=True),
    ]


def spells(events: Sequence[Event], axis: svg.Axis, state: Callable[[Event], str]) -> list[Spell]:
    """The states of one subject; neighbours with the same state are one spell."""
    found: list[Spell] = []
    for event in sorted(events, key=lambda event: event.at):
        start, now = max(event.at, axis.start), state(event)
        if event.at > axis.end or (found and found[-1].state == now):
            continue
        if found:
            found[-1] = Spell(found[-1].state, found[-1].start, start)
        found.append(Spell(now, start, axis.end))
    return [spell for spell in found if spell.end > spell.start]


def _by(events: Sequence[Event], kind: str, key: Callable[[Event], str]) -> dict[str, list[Event]]:
    groups: dict[str, list[Event]] = {}
    for event in events:
        if event.kind == kind:
            groups.setdefault(key(event), []).append(event)
    return dict(sorted(groups.items()))


def _unknown_before(found: Sequence[Spell], axis: svg.Axis, top: float) -> list[str]:
    if not found or found[0].start <= axis.start:
        return []
    return [
        svg.line(axis.left, top + HEIGHT / 2, axis.x(found[0].start), top + HEIGHT / 2, svg.BAND, dash="1 4", width=2)
    ]


def _peer_lanes(events: Sequence[Event], axis: svg.Axis) -> Iterator[Lane]:
    """What brokers say of their peers (subject ``rmq1/rabbit@rmq2``): only who was missed since the start."""
    missed = {e.subject for e in events if e.kind == "peer" and e.at >= axis.start and e.data.get("state") == "down"}
    for subject, found in _by(events, "peer", lambda event: event.subject).items():
        viewer, _, peer = subject.partition("/")
        if subject in missed:
            seen = spells(found, axis, lambda event: str(event.data.get("state")))
            label = f"{viewer} sees {peer.removeprefix('rabbit@')}"
            yield Lane("peers", label, partial(_states, seen, axis, {"down": svg.BAD}, "up"))


def _leader_lanes(events: Sequence[Event], axis: svg.Axis) -> Iterator[Lane]:
    """Of this scenario's queues: one with the same name before it lived in another vhost."""
    for queue, found in _by([e for e in events if e.at >= axis.start], "leader", lambda event: event.subject).items():
        held = spells(found, axis, lambda event: event.text or str(event.data.get("node", "?")))
        yield Lane("leaders", f"leader of {queue}", partial(_leaders, held, axis))


def _leaders(held: Sequence[Spell], axis: svg.Axis, top: float) -> list[str]:
    shapes = _unknown_before(held, axis, top)
    for spell in held:
        a, b = axis.x(spell.start), axis.x(spell.end)
        told = f"{spell.state} for {spell.end - spell.start:.1f} s"
        shapes.append(svg.rect(a, top + 3, b - a, HEIGHT - 6, svg.BAND, title=told))
        if spell.start > axis.start:
            shapes.append(svg.line(a, top, a, top + HEIGHT, svg.INK, width=2.4))
        shapes.append(svg.text(a + 6, top + 15, svg.shortened(spell.state.removeprefix("rabbit@"), b - a - 8)))
    return shapes


def _hold(event: Event) -> str:
    if event.data.get("held"):
        return "held"
    return "unanswered" if event.text == "unanswered" else "not held"


def _vip_lanes(events: Sequence[Event], axis: svg.Axis) -> Iterator[Lane]:
    many = len({event.subject for event in events if event.kind == "vip"}) > 1

    def member(event: Event) -> str:
        return f"{event.data.get('member', '?')}" + (f" {event.subject}" if many else "")

    for label, found in _by(events, "vip", member).items():
        seen = spells(found, axis, _hold)
        yield Lane("vip", f"VIP on {label}", partial(_states, seen, axis, {"held": svg.PUBLISH}, "not held"))


def _backend_lanes(events: Sequence[Event], axis: svg.Axis) -> Iterator[Lane]:
    """Subjects are ``lb1/rmq2`` or ``lb1/proxy/rmq2``. Proxies beside the load's (management, statistics) are left out."""
    groups = _by(events, "backend", lambda event: event.subject)
    loaded = {name: found for name, found in groups.items() if not BESIDE_THE_LOAD.search(proxy_of(name))}
    groups = loaded or groups
    proxies = {proxy_of(name) for name in groups}
    for name, found in groups.items():
        seen = spells(found, axis, lambda event: str(event.data.get("state") or event.text))
        balancer, _, server = name.partition("/")
        label = f"{balancer}: {server if len(proxies) > 1 else server.rpartition('/')[2]}"
        yield Lane("backends", label, partial(_states, seen, axis, {"DOWN": svg.BAD}, "UP"))


def _states(found: Sequence[Spell], axis: svg.Axis, loud: dict[str, str], quiet: str, top: float) -> list[str]:
    """The quiet state is a thin line, the loud one a tall bar, anything else a grey one; tall ones say what they are."""
    shapes = _unknown_before(found, axis, top)
    for spell in found:
        a, b = axis.x(spell.start), axis.x(spell.end)
        told = f"{spell.state} {spell.end - spell.start:.1f} s"
        if spell.state == quiet:
            shapes.append(svg.rect(a, top + 9, b - a, 4, svg.BAND if quiet == "not held" else svg.GOOD, title=told))
            continue
        words = next((said for said in (told, spell.state) if svg.width_of(said) <= b - a - 8), "")
        known = spell.state in loud
        shapes.append(svg.rect(a, top + 3, max(b - a, 2), HEIGHT - 6, loud.get(spell.state, svg.BAND), title=told))
        shapes.append(svg.text(a + 6, top + 15, words, fill="white" if known else svg.INK, bold=known))
    return shapes


def _client_lanes(events: Sequence[Event], axis: svg.Axis) -> Iterator[Lane]:
    """Only clients that were cut off: away in between, then connected, then confirmed or delivered again."""
    ours = [event for event in events if event.at >= axis.start]
    groups = _by(ours, "client", lambda event: event.subject)
    cut = {role: found for role, found in groups.items() if any(e.text in ("disconnected", "cancelled") for e in found)}
    for role in list(cut)[:MOST_CLIENTS]:
        yield Lane("clients", f"client {role}", partial(_client, cut[role], axis))
    if len(cut) > MOST_CLIENTS:
        left = ", ".join(list(cut)[MOST_CLIENTS:])
        words = svg.shortened(f"cut off too: {left}", axis.right - axis.left)
        yield Lane(
            "clients",
            f"and {len(cut) - MOST_CLIENTS} more",
            lambda top: [svg.text(axis.left, top + 15, words, fill=svg.SOFT)],
        )


def _client(found: Sequence[Event], axis: svg.Axis, top: float) -> list[str]:
    """Marks that would hide one another stand side by side, in their order, up to 18 pixels late."""
    y = top + HEIGHT / 2
    shapes = [svg.line(axis.left, y, axis.right, y, svg.RULE)]
    marks: list[str] = []
    away: float | None = None
    last = axis.left - APART
    for event in found:
        told = f"{event.subject} {event.text} {event.data.get('reason', '')}".strip()
        x = max(axis.x(event.at), min(last + APART, axis.x(event.at) + 2 * APART))
        last = x if event.text in MARKED else last
        if event.text in ("disconnected", "cancelled"):
            away = event.at if away is None else away
            marks.append(svg.cross(x, y, svg.BAD, told))
        elif event.text == "connected":
            if away is not None:
                shapes.append(
                    svg.rect(
                        axis.x(away), y - 3, x - axis.x(away), 6, "url(#gap)", title=f"away {event.at - away:.1f} s"
                    )
                )
            away = None
            marks.append(svg.dot(x, y, svg.GOOD, told))
        elif event.text in ("first_confirm", "first_delivery"):
            marks.append(svg.diamond(x, y, svg.PUBLISH if event.text == "first_confirm" else svg.DELIVER, told))
    if away is not None:
        shapes.append(
            svg.rect(axis.x(away), y - 3, axis.right - axis.x(away), 6, "url(#gap)", title="away until the end")
        )
    return shapes + marks
