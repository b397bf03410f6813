"""Who held the virtual address, and how often that was interrupted, from the timeline's ``vip`` events.

Subject: the address; data: ``member``, ``held``. Watchers record changes only, so give all events of the run and the
scenario as ``window``. What a member holds is unknown before its first event and while its text is ``unanswered``; a
stretch in which that decides the question is UNDECIDED if it is too long. The resolution is the watcher's (0.25 s).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_rmqha.checkers.verdict import Outcome, Verdict
from pytest_rmqha.timeline import Event
from pytest_rmqha.waiting import Budget

ONE_HOLDER = "one_holder_outside_transitions"
MOVED = "holder_moved"
UNANSWERED = "unanswered"
Window = tuple[float, float]


@dataclass(frozen=True)
class Stretch:
    """``holders`` for certain and ``unknown`` members, from ``start`` to ``end``."""

    start: float
    end: float
    holders: frozenset[str]
    unknown: frozenset[str] = frozenset()

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def sole(self) -> str | None:
        """The one holder, where nobody unknown could be a second one."""
        return next(iter(self.holders)) if len(self.holders) == 1 and not self.unknown else None

    @property
    def outcome(self) -> Outcome:
        if self.sole:
            return Outcome.HELD
        return Outcome.UNDECIDED if self.unknown and len(self.holders) < 2 else Outcome.BROKEN

    def told(self, since: float) -> str:
        held = " and ".join(sorted(self.holders)) or "nobody"
        unsure = f", {', '.join(sorted(self.unknown))} did not answer" if self.unknown else ""
        return f"{held} for {self.seconds:.1f} s from +{self.start - since:.1f} s{unsure}"


def stretches(events: Iterable[Event], address: str, window: Window | None = None) -> tuple[Stretch, ...]:
    """Consecutive stretches with the same holders; without a window from the first ``vip`` event to the last event."""
    ordered = sorted(events, key=lambda event: event.at)
    seen = [event for event in ordered if event.kind == "vip" and event.subject == address]
    if not seen:
        return ()
    start, end = window or (seen[0].at, ordered[-1].at)
    held: set[str] = set()
    unknown = {str(event.data.get("member", "")) for event in seen}
    found: list[Stretch] = []
    for event, until in zip(seen, [*(later.at for later in seen[1:]), end], strict=True):
        member = str(event.data.get("member", ""))
        (unknown.add if event.text == UNANSWERED else unknown.discard)(member)
        (held.add if event.data.get("held") else held.discard)(member)
        begin, close = max(event.at, start), min(until, end)
        if close > begin:
            _append(found, Stretch(begin, close, frozenset(held - unknown), frozenset(unknown)))
    return tuple(found)


def interruptions(found: Sequence[Stretch]) -> int:
    """How often clients lost the address: each change of the sole holder and each stretch without one counts once.

    What comes before the first sole holder interrupts nobody. A stretch in which a member did not answer counts only if
    another one holds the address after it.
    """
    count = 0
    before: str | None = None
    interrupted = False
    for stretch in found:
        if stretch.sole is None:
            interrupted = before is not None and (interrupted or stretch.outcome is not Outcome.UNDECIDED)
        else:
            count += before is not None and (interrupted or stretch.sole != before)
            before, interrupted = stretch.sole, False
    return count + interrupted


def one_holder_outside_transitions(
    events: Iterable[Event], allowed: Budget, *, window: Window | None = None
) -> Verdict:
    """Each address seen has exactly one holder; a stretch with none or several lasts for at most ``allowed``.

    A transition of several steps (two holders, then none) is one stretch. Undecided if no holder was ever seen.
    """
    known = tuple(events)
    by_address = {address: stretches(known, address, window) for address in _addresses(known)}
    if not any(stretch.holders for found in by_address.values() for stretch in found):
        return Verdict(Outcome.UNDECIDED, ONE_HOLDER, "nothing happened: no holder of a VIP was ever seen")
    outcome, longest, evidence = Outcome.HELD, 0.0, []
    for address, found in by_address.items():
        for transition in _transitions(found):
            length = transition[-1].end - transition[0].start
            longest = max(longest, length)
            if length > allowed.seconds:
                certain = sum(part.seconds for part in transition if part.outcome is Outcome.BROKEN)
                outcome = max(outcome, Outcome.BROKEN if certain > allowed.seconds else Outcome.UNDECIDED)
                evidence += [f"{address}: {part.told(found[0].start)}" for part in transition]
    count = sum(interruptions(found) for found in by_address.values())
    reason = f"the longest stretch without exactly one holder: {longest:.1f} s, budget {allowed}; {count} interruptions"
    return Verdict(outcome, ONE_HOLDER, reason, tuple(evidence), round(longest, 3), allowed.seconds)


def holder_moved(
    events: Iterable[Event],
    address: str,
    *,
    before: str,
    after: str,
    times: int | None = None,
    window: Window | None = None,
) -> Verdict:
    """``before`` was the first sole holder and ``after`` is the last; with ``times``, after that many interruptions.

    Undecided if the address was never held by one alone, or not by ``before`` at first: then the scenario did not begin
    as it says.
    """
    found = stretches(events, address, window)
    soles = [stretch.sole for stretch in found if stretch.sole]
    if not soles or soles[0] != before:
        first = soles[0] if soles else "nobody alone"
        return Verdict(Outcome.UNDECIDED, MOVED, f"{address} was to begin at {before}; first seen at {first}")
    count = interruptions(found)
    way = " → ".join(name for i, name in enumerate(soles) if i == 0 or name != soles[i - 1])
    reason = f"{address} went {way} with {count} interruptions"
    evidence = tuple(stretch.told(found[0].start) for stretch in found)
    if found[-1].sole != after:
        outcome = max(found[-1].outcome, Outcome.BROKEN if found[-1].sole else Outcome.HELD)
        return Verdict(outcome, MOVED, f"{reason}; it was to end at {after} alone", evidence, count, times)
    if times is not None and count != times:
        return Verdict(Outcome.BROKEN, MOVED, f"{reason}, not {times}", evidence, count, times)
    return Verdict(Outcome.HELD, MOVED, reason, evidence, count, times)


def _addresses(events: Iterable[Event]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.subject for event in events if event.kind == "vip"))


def _append(found: list[Stretch], new: Stretch) -> None:
    if found and (found[-1].holders, found[-1].unknown) == (new.holders, new.unknown):
        found[-1] = Stretch(found[-1].start, new.end, new.holders, new.unknown)
    else:
        found.append(new)


def _transitions(found: Sequence[Stretch]) -> list[list[Stretch]]:
    """Neighbouring stretches without one sole holder, grouped."""
    groups: list[list[Stretch]] = []
    for before, stretch in zip([None, *found], found, strict=False):
        if stretch.sole is None:
            if before is None or before.sole is not None:
                groups.append([])
            groups[-1].append(stretch)
    return groups
