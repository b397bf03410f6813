"""One outage as its clients saw it, split into phases by the milestones that fell into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 0.0005
NEVER = "not served again"
NAMES = {
    "noticed by the brokers": "brokers notice",
    "new leader": "new leader",
    "backend DOWN": "balancer notices",
    "VIP moved": "VIP moves",
    "client cut off": "client notices",
    "client reconnected": "reconnect",
    "first confirm": "first confirm",
    "consumer reconnected": "consumer reconnects",
    "first delivery": "first delivery",
    "fault healed": "fault lasts",
    "fault gone": "healing",
}


@dataclass(frozen=True)
class Milestone:
    """``after`` seconds from the moment at which the fault's injection began; ``detail``: who or what.

    ``counts``: the clients that stood still waited for it, so that it ends a phase of their outage.
    """

    label: str
    after: float
    detail: str = ""
    counts: bool = True


@dataclass(frozen=True)
class Phase:
    """The wait for one milestone: from ``start`` seconds after the fault, for ``seconds``. ``label``: one of ``NAMES``."""

    label: str
    start: float
    seconds: float
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.label} {self.seconds:.2f} s"


@dataclass(frozen=True)
class Outage:
    """What followed one fault, in order of time.

    ``stood``: from and to in seconds after the fault, while its worst publisher and consumer stood still (one of them
    alone if not at the same time); None if nobody did for 0.25 s.
    """

    fault: str
    struck: float
    milestones: tuple[Milestone, ...]
    stood: tuple[float, float] | None = None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Without a gap or an overlap: they add up to ``seconds``. What had occurred before the standstill is in none.

        A phase is named for the milestone that ended it: time may have passed for another reason that left no event.
        """
        if self.stood is None:
            return ()
        since, until = self.stood
        found: list[Phase] = []
        for milestone in self.milestones:
            if milestone.counts and since < milestone.after <= until:
                label = NAMES.get(milestone.label, milestone.label)
                found.append(Phase(label, since, milestone.after - since, milestone.detail))
                since = milestone.after
        if until - since > LEAST:
            found.append(Phase(NEVER, since, until - since))
        return tuple(found)

    @property
    def seconds(self) -> float:
        """How long the worst clients stood still because of the fault; 0.0 is below 0.25 s."""
        return self.stood[1] - self.stood[0] if self.stood else 0.0

    @property
    def dominating(self) -> Phase | None:
        """The longest phase, the earlier of two."""
        return max(self.phases, key=lambda phase: phase.seconds, default=None)


def worst(outages: Sequence[Outage]) -> Outage | None:
    """The longest outage; None if no client stood still."""
    return max((one for one in outages if one.stood), key=lambda one: one.seconds, default=None)


def told(outages: Sequence[Outage]) -> str:
    """The worst outage and its dominating phase in a line; "" if no client stood still."""
    outage = worst(outages)
    if outage is None or outage.dominating is None:
        return ""
    share = outage.dominating.seconds / outage.seconds
    return f"longest phase: {outage.dominating} of {outage.seconds:.2f} s ({share:.0%})"
