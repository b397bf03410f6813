"""What followed each fault: milestones from the timeline and from the ends of gaps, in order of time.

A milestone that has no event is left out, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from pytest_rmqha.report.fault_spells import FaultSpell, began_at, fault_spells
from pytest_rmqha.report.gaps import closed_gaps, is_open
from pytest_rmqha.report.phases import Milestone, Outage
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Gap, History

BESIDE_THE_LOAD = re.compile(r"manage?ment|mgmt|stat(istic)?s|admin", re.IGNORECASE)
CUT_OFF = ("disconnected", "cancelled", "confirm_timeout")
WATCHED = ("backend", "vip", "peer")


def outages(history: History, events: Sequence[Event]) -> tuple[Outage, ...]:
    """One for each fault that was injected since the scenario began.

    Confirm, delivery, cut and reconnect are those of the clients that stood still longest, so a client that the fault
    did not touch can't shorten an outage. *New leader* is when the brokers' logs say so, or else when
    the scenario saw it: an upper bound. Leaders, backends and VIP moves from after the fault was gone and those clients
    were served again are not its doing. A gap belongs to the fault that struck nearest to its start.
    """
    zero = began_at(history, events)
    ours = [event for event in changes(events) if event.at >= zero]
    faults = fault_spells(events, zero)
    ends = [*(fault.injected for fault in faults), math.inf][1:]
    return tuple(_outage(history, ours, faults, fault, end) for fault, end in zip(faults, ends, strict=True))


def changes(events: Iterable[Event]) -> list[Event]:
    """In order of time, without what a watcher repeats after it was blind for a while."""
    last: dict[tuple[str, str, str], str] = {}
    found: list[Event] = []
    for event in sorted(events, key=lambda event: event.at):
        key = (event.kind, event.subject, str(event.data.get("member", "")))
        state = str(event.data.get("state") or event.text or event.data.get("held"))
        if event.kind in WATCHED and state != "unanswered":
            if last.get(key) == state:
                continue
            last[key] = state
        found.append(event)
    return found


def proxy_of(backend: str) -> str:
    """The haproxy section in a subject ``lb1/section/rmq2``; "" in ``lb1/rmq2``."""
    return backend.partition("/")[2].rpartition("/")[0]


def is_down(event: Event) -> bool:
    """A backend of the load's own proxies went DOWN."""
    is_load = not BESIDE_THE_LOAD.search(proxy_of(event.subject))
    return event.kind == "backend" and is_load and event.data.get("state") == "DOWN"


def _outage(
    history: History, events: Sequence[Event], faults: Sequence[FaultSpell], fault: FaultSpell, end: float
) -> Outage:
    stalls = _stalls(history, faults, fault)
    limit = max([min(fault.gone, end), *(stall.end for stall in stalls)])
    after = [event for event in events if fault.injected < event.at <= limit]
    slot = [event for event in events if fault.injected < event.at < end]
    rows = [
        *_fault_rows(fault, events),
        *_stack_rows(after, _queues_of(history, stalls)),
        *_client_rows(history, after, slot, stalls),
    ]
    found = sorted((row for row in rows if row is not None), key=lambda row: row.after)
    struck = fault.injected
    milestones = tuple(
        Milestone(m.label, m.after - struck, m.detail, m.counts and _is_waited_for(m, found, stalls)) for m in found
    )
    stood = (max(min(s.start for s in stalls) - struck, 0.0), max(s.end for s in stalls) - struck) if stalls else None
    return Outage(fault.title, struck, milestones, stood)


def _stalls(history: History, faults: Sequence[FaultSpell], fault: FaultSpell) -> list[Gap]:
    """The worst gap of a publisher and that of a consumer; the longer alone if they did not overlap."""
    worst = [
        max(gaps, key=lambda gap: gap.seconds)
        for kind in ("publish", "deliver")
        if (gaps := [gap for gap in closed_gaps(history, kind) if _cause(gap, faults) is fault])
    ]
    if len(worst) == 2 and max(g.start for g in worst) > min(g.end for g in worst):
        return [max(worst, key=lambda gap: gap.seconds)]
    return worst


def _is_waited_for(milestone: Milestone, rows: Sequence[Milestone], stalls: Sequence[Gap]) -> bool:
    """Balancers and the VIP decide where a connect goes: a client that is connected waits for neither.

    In charge is the publisher until it was served again, then the consumer.
    """
    if milestone.label not in ("backend DOWN", "VIP moved"):
        return True
    ends = {stall.kind: stall.end for stall in stalls}
    back = "client reconnected" if milestone.after <= ends.get("publish", -math.inf) else "consumer reconnected"
    return any(row.label == back and row.after >= milestone.after for row in rows)


def _cause(gap: Gap, faults: Sequence[FaultSpell]) -> FaultSpell | None:
    before = [fault for fault in faults if fault.injected < gap.end]
    return min(before, key=lambda fault: abs(fault.injected - gap.start), default=None)


def _queues_of(history: History, stalls: Sequence[Gap]) -> set[str]:
    """A stream knows its queue; a consumer of the standard load is called ``c.`` and its queue."""
    queues = {stream.name: stream.queue for stream in history.streams}
    queues |= {f"c.{queue}": queue for queue in list(queues.values())}
    return {queues[stall.role] for stall in stalls if stall.role in queues}


def _at(event: Event, label: str, detail: str | None = None, counts: bool = True) -> Milestone:
    """With the event's own time; it becomes the fault's in the end."""
    return Milestone(label, event.at, event.subject if detail is None else detail, counts)


def _first(events: Iterable[Event], sees: Callable[[Event], bool]) -> Event | None:
    return next((event for event in events if sees(event)), None)


def _fault_rows(fault: FaultSpell, events: Sequence[Event]) -> Iterator[Milestone]:
    seen = _first(
        events,
        lambda e: e.kind == "fault.seen" and e.subject == fault.title and fault.injected < e.at <= fault.gone,
    )
    if seen is not None:
        yield _at(seen, "seen in effect", counts=False)
    if math.isfinite(fault.healed):
        yield Milestone("fault healed", fault.healed, fault.title)
    if math.isfinite(fault.gone):
        yield Milestone("fault gone", fault.gone, fault.title)


def _stack_rows(after: Sequence[Event], stalled: set[str]) -> Iterator[Milestone]:
    """Of leaders, the first of each queue; it counts if the queue is one of those that stood still, as far as known."""
    peer = _first(after, lambda e: e.kind == "peer" and e.data.get("state") == "down")
    if peer is not None:
        yield _at(peer, "noticed by the brokers", peer.subject.replace("/", " lost "))
    for queue in dict.fromkeys(event.subject for event in after if event.kind == "leader"):
        leader = _first(after, lambda e, queue=queue: e.kind == "leader" and e.subject == queue)  # type: ignore[misc]
        if leader is not None:
            yield _at(leader, "new leader", f"{queue} on {leader.text}", not stalled or queue in stalled)
    down = _first(after, is_down)
    if down is not None:
        yield _at(down, "backend DOWN")
    moved = _first(after, lambda e: e.kind == "vip" and bool(e.data.get("held")))
    if moved is not None:
        yield _at(moved, "VIP moved", f"{moved.subject} to {moved.data.get('member', '?')}")


def _client_rows(
    history: History, after: Sequence[Event], slot: Sequence[Event], stalls: Sequence[Gap]
) -> Iterator[Milestone | None]:
    """Without a publisher that stood still, the first client that was cut off, came back and was confirmed."""
    stalled = {stall.kind: stall for stall in stalls}
    first = stalled.get("publish") or stalled.get("deliver")
    cut = _first(after, lambda e: e.kind == "client" and e.text in CUT_OFF and (not first or e.subject == first.role))
    yield _at(cut, "client cut off") if cut else None
    for kind, back, served in (
        ("publish", "client reconnected", "first confirm"),
        ("deliver", "consumer reconnected", "first delivery"),
    ):
        stall = stalled.get(kind)
        if stall is not None:
            yield _back(after, stall, back)
            yield None if is_open(history, stall) else Milestone(served, stall.end, stall.role)
            continue
        if kind == "publish":
            again = _first(slot, _is_back)
            yield _at(again, back, counts=False) if again else None
        event = _first(slot, lambda e, text=served.replace(" ", "_"): e.kind == "client" and e.text == text)  # type: ignore[misc]
        yield _at(event, served, counts=False) if event else None


def _is_back(event: Event) -> bool:
    return event.kind == "client" and event.text == "connected" and event.data.get("again") is not False


def _back(after: Sequence[Event], stall: Gap, label: str) -> Milestone | None:
    """The last connect before the client was served again."""
    own = [e for e in after if _is_back(e) and e.subject == stall.role and stall.start < e.at <= stall.end]
    return _at(own[-1], label) if own else None
