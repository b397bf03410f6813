"""What became of connections that did nothing: the idle one has to live, the silent one has to be noticed.

A connection that a fault of ours cut proves nothing: its end lies within the fault's spell. Every other end is the stack's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_rmqha.checkers.verdict import Outcome, Verdict
from pytest_rmqha.timeline import Event
from pytest_rmqha.waiting import Budget

SURVIVES, NOTICED = "idle_client_survives", "silent_client_is_noticed"
BEFORE, AFTER = 1.0, 15.0
"""Seconds around a fault in which an end is the fault's: clients are moved a while after it is gone, too."""
GAVE_UP = "given up by the client itself"
"""As ``client.patience`` says it."""
Spell = tuple[float, float]


@dataclass(frozen=True)
class Wait:
    """One connection: ``idle`` answers heartbeats, ``silent`` says nothing. ``cut``: None while it lives; seconds."""

    kind: str
    name: str
    opened: float
    cut: float | None
    heartbeat: int
    why: str = ""

    def lasted(self, now: float) -> float:
        return (now if self.cut is None else self.cut) - self.opened


def spells(events: Iterable[Event]) -> tuple[Spell, ...]:
    """(begin, end) of every fault, the end infinite while it was not seen gone; a rebuilt stack is one, too."""
    begun: dict[str, float] = {}
    found: list[Spell] = []
    for event in sorted(events, key=lambda event: event.at):
        if event.kind == "fault.injected":
            begun[event.subject] = event.at
        elif event.kind == "fault.gone" and event.subject in begun:
            found.append((begun.pop(event.subject), event.at))
        elif event.kind == "note" and event.subject == "stack":
            found.append((event.at, event.at))
    return (*found, *((at, math.inf) for at in begun.values()))


def idle_client_survives(waits: Sequence[Wait], faults: Sequence[Spell], now: float, budget: Budget) -> Verdict:
    """No idle client is cut before ``budget`` unless a fault did it, and one at least lived that long."""
    idle = [wait for wait in waits if wait.kind == "idle"]
    if not idle:
        return Verdict(Outcome.UNDECIDED, SURVIVES, "nothing happened: no idle client was ever connected")
    early = [w for w in idle if w.cut is not None and w.lasted(now) < budget.seconds and not _cut_by_a_fault(w, faults)]
    if early:
        worst = min(early, key=lambda wait: wait.lasted(now))
        reason = (
            f"{len(early)} of {len(idle)} idle clients were cut while nothing was wrong, the first after "
            f"{worst.lasted(now):.1f} s, budget {budget}; heartbeat {worst.heartbeat} s, {worst.why}"
        )
        evidence = tuple(f"{w.name}: lived {w.lasted(now):.1f} s ({w.why})" for w in early)
        return Verdict(Outcome.BROKEN, SURVIVES, reason, evidence, round(worst.lasted(now), 1), budget.seconds)
    longest = max(wait.lasted(now) for wait in idle)
    outcome = Outcome.HELD if longest >= budget.seconds else Outcome.UNDECIDED
    reason = f"the longest of {len(idle)} idle clients lived {longest:.1f} s, budget {budget}; a fault ended the others"
    return Verdict(outcome, SURVIVES, reason, (), round(longest, 1), budget.seconds)


def silent_client_is_noticed(waits: Sequence[Wait], faults: Sequence[Spell], now: float, budget: Budget) -> Verdict:
    """A client that says nothing any more is disconnected within ``budget``: until then it keeps what it prefetched."""
    silent = [wait for wait in waits if wait.kind == "silent"]
    if not silent:
        return Verdict(Outcome.UNDECIDED, NOTICED, "nothing happened: no silent client was ever connected")
    longest = max(silent, key=lambda wait: wait.lasted(now))
    late = [w for w in silent if w.lasted(now) > budget.seconds]
    unnoticed = [w for w in late if not _touched(w, budget, faults) or _late_by_itself(w, budget)]
    if unnoticed:
        longest = max(unnoticed, key=lambda wait: wait.lasted(now))
    lasted = round(longest.lasted(now), 1)
    if unnoticed:
        still = "was still connected" if longest.cut is None else "stayed connected"
        reason = f"a client that fell silent {still} {lasted:.1f} s, budget {budget}; heartbeat {longest.heartbeat} s"
        return Verdict(Outcome.BROKEN, NOTICED, reason, (), lasted, budget.seconds)
    noticed = [w for w in silent if w.cut is not None and w.why != GAVE_UP and _in_time(w, budget, faults)]
    if not noticed:
        reason = f"none of {len(silent)} silent clients has been disconnected yet but by a fault"
        return Verdict(Outcome.UNDECIDED, NOTICED, reason, (), lasted, budget.seconds)
    slowest = max(wait.lasted(now) for wait in noticed)
    reason = (
        f"a silent client was disconnected after {slowest:.1f} s, budget {budget}; heartbeat {noticed[0].heartbeat} s"
    )
    return Verdict(Outcome.HELD, NOTICED, reason, (), round(slowest, 1), budget.seconds)


def _in_time(wait: Wait, budget: Budget, faults: Sequence[Spell]) -> bool:
    """It was cut within the budget, and outside of any fault; or within a fault by the heartbeat, if that can't be late."""
    assert wait.cut is not None
    lasted = wait.cut - wait.opened
    soon_enough = _latest(wait) <= budget.seconds and _by_heartbeat(wait, lasted)
    return lasted <= budget.seconds and (soon_enough or not _struck(wait.cut, faults))


def _late_by_itself(wait: Wait, budget: Budget) -> bool:
    """Whatever fault lay in its time, it was the heartbeat that ended it, and that comes later than the budget has it."""
    return (
        wait.cut is not None
        and wait.why != GAVE_UP
        and _latest(wait) > budget.seconds
        and _by_heartbeat(wait, wait.cut - wait.opened)
    )


def _latest(wait: Wait) -> float:
    """Seconds after which the broker has noticed at the latest: three heartbeats, and what it takes (rabbit_heartbeat.erl)."""
    return 3 * wait.heartbeat + 5.0


def _by_heartbeat(wait: Wait, lasted: float) -> bool:
    """Two to three heartbeats were over."""
    return wait.heartbeat > 0 and 2 * wait.heartbeat - 1 <= lasted <= _latest(wait)


def _struck(at: float, faults: Sequence[Spell], after: float = AFTER) -> bool:
    return any(begin - BEFORE <= at <= end + after for begin, end in faults)


def _cut_by_a_fault(wait: Wait, faults: Sequence[Spell]) -> bool:
    """A client whose VIP has moved learns of it with its next heartbeat, half an interval later at most."""
    assert wait.cut is not None
    return _struck(wait.cut, faults, max(AFTER, wait.heartbeat / 2 + 5))


def _touched(wait: Wait, budget: Budget, faults: Sequence[Spell]) -> bool:
    """A fault lay in the time in which it had to be noticed: its session may be on a balancer that can't reach it any more."""
    return any(begin - BEFORE <= wait.opened + budget.seconds and wait.opened <= end + AFTER for begin, end in faults)
