"""When each fault of a scenario stood, and the zero that a scenario's own time counts from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History


@dataclass(frozen=True)
class FaultSpell:
    """Injected and healed (when the act began), seen gone. What did not come is the end of the time looked at."""

    title: str
    injected: float
    healed: float
    gone: float


def began_at(history: History, events: Sequence[Event]) -> float:
    """The zero of a scenario's own time: its last ``scenario.begin``, else whatever came first."""
    begins = [event.at for event in events if event.kind == "scenario.begin"]
    if begins:
        return max(begins)
    seen = [event.at for event in events]
    ran = history.window[1] > history.window[0]
    return min([*seen, history.window[0]] if ran else seen, default=0.0)


def fault_spells(events: Sequence[Event], start: float, end: float = math.inf) -> list[FaultSpell]:
    """One for each injection since ``start``; the same fault may be injected again after it was healed."""
    open_: dict[str, dict[str, float]] = {}
    done: list[FaultSpell] = []

    def close(title: str) -> None:
        known = open_.pop(title, None)
        if known is not None:
            gone = known.get("gone", end)
            done.append(FaultSpell(title, known["injected"], min(known.get("healed", gone), gone), gone))

    for event in sorted((event for event in events if event.at >= start), key=lambda event: event.at):
        if event.kind == "fault.injected":
            close(event.subject)
            open_[event.subject] = {"injected": event.at}
        elif event.kind in ("fault.healed", "fault.gone") and event.subject in open_:
            open_[event.subject].setdefault(event.kind.removeprefix("fault."), event.at)
            if event.kind == "fault.gone":
                close(event.subject)
    for title in list(open_):
        close(title)
    return sorted(done, key=lambda spell: spell.injected)
