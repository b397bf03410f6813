"""How long clients stood still. Seconds, measured by the clients themselves on the run's clock.

The history holds stretches of at least 0.25 s, so a stall below that is reported as 0. A stretch that is still open
when the load ends counts up to there: it is a lower bound.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_rmqha.checkers.verdict import Checker, Outcome, Verdict
from pytest_rmqha.waiting import Budget
from pytest_rmqha.workload.history import PROBER, QUIET_CLIENTS, Connect, Gap, History

STEADY = 5.0
"""Seconds without a failed try after which a client counts as served again."""
IN_FLIGHT = 1.0
"""Seconds that the last delivery may come before the last confirm: undisturbed messages took 0.2 s at most for either."""


@dataclass(frozen=True)
class Outage:
    """One stretch in which ``role`` was not served; ``is_open`` if it was still going on at the end."""

    role: str
    start: float
    end: float
    is_open: bool
    why: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def told(self, since: float) -> str:
        still = ", still open at the end" if self.is_open else ""
        why = f" ({self.why})" if self.why else ""
        return f"{self.role}: {self.seconds:.1f} s from +{self.start - since:.1f} s{still}{why}"


def publishing_stalls_for_at_most(budget: Budget) -> Checker:
    """No publisher is without a confirm for longer than ``budget``. Undecided if nothing was confirmed at all."""

    def check(history: History) -> Verdict:
        confirmed = sum(stream.confirmed.count() for stream in history.streams)
        return _stalls(history, "publish", f"publishing_stalls_for_at_most({budget})", budget, confirmed, "confirmed")

    return _named(check, f"publishing_stalls_for_at_most({budget})")


def delivery_stalls_for_at_most(budget: Budget) -> Checker:
    """No consumer is without a delivery for longer than ``budget``. Undecided if nothing was delivered at all.

    A consumer whose publisher stands still has nothing to get: its stall contains the publisher's. One that begins after the
    last confirm of all is not counted: the load is over, and what a dead session held may come late, which loses nothing.
    So a load that is consumed only after it was published has no stall here.
    """

    def check(history: History) -> Verdict:
        delivered = sum(stream.delivered.count() for stream in history.streams)
        return _stalls(history, "deliver", f"delivery_stalls_for_at_most({budget})", budget, delivered, "delivered")

    return _named(check, f"delivery_stalls_for_at_most({budget})")


def new_connections_are_served_within(budget: Budget) -> Checker:
    """From the start of a client's first failed connect to the end of the next good one after which it is served: at most ``budget``.

    Served is who has no failed connect for 5 s after one; until then good ones in between are luck (one of three brokers hangs,
    and every third client with it), and all is one wait. A good connect while served is as long as it took. Undecided if nobody
    tried, or if no try was ever good: then the way there may be what is broken.
    """
    name = f"new_connections_are_served_within({budget})"

    def check(history: History) -> Verdict:
        good = sum(connect.ok for connect in history.connects)
        if history.connects_unwritten:
            reason = f"{history.connects_unwritten} tries to connect were too many to be kept: what came of them is not known"
            return Verdict(Outcome.UNDECIDED, name, reason)
        if not history.connects:
            return Verdict(Outcome.UNDECIDED, name, "nothing happened: no connection was tried")
        if not good:
            last = max(history.connects, key=lambda connect: connect.at)
            reason = f"none of {len(history.connects)} tries was served; the last error: {last.error or 'none given'}"
            return Verdict(Outcome.UNDECIDED, name, reason)
        what = f"a new connection waited {{worst}}; {good} of {len(history.connects)} tries were good"
        return _within(name, budget, _unserved(history), what, history.window[0])

    return _named(check, name)


def quiet_clients_are_served_within(budget: Budget) -> Checker:
    """The same of those that stand beside every load alone: prober, idle client and held consumer.

    Undecided if the prober, which makes a new connection twice a second, was not there.
    """
    name = f"quiet_clients_are_served_within({budget})"
    of_all = new_connections_are_served_within(budget)

    def check(history: History) -> Verdict:
        theirs = tuple(connect for connect in history.connects if connect.role in QUIET_CLIENTS)
        tries = sorted((connect for connect in theirs if connect.role == PROBER), key=lambda connect: connect.at)
        if not tries:
            return Verdict(Outcome.UNDECIDED, name, "nothing happened: no prober was there")
        began, ended = [t.at for t in tries[1:]] + [history.window[1]], [_end(t) for t in tries]
        silent = max(later - earlier for earlier, later in zip(ended, began, strict=True))
        if silent > budget.seconds:
            return Verdict(Outcome.UNDECIDED, name, f"the prober tried nothing for {silent:.1f} s, budget {budget}")
        return dataclasses.replace(of_all(dataclasses.replace(history, connects=theirs)), checker=name)

    return _named(check, name)


def _stalls(history: History, kind: str, name: str, budget: Budget, progress: int, did: str) -> Verdict:
    start, end = history.window
    if not progress:
        return Verdict(Outcome.UNDECIDED, name, f"nothing happened: no message was {did}")
    if not end > start:
        return Verdict(Outcome.UNDECIDED, name, "nothing happened: the load's running time is empty")
    outages = [Outage(gap.role, gap.start, *_closed(gap.end, end)) for gap in gaps_under_load(history, kind)]
    what = f"nothing was {did} for {{worst}}, of {end - start:.1f} s of load with {progress} messages {did}"
    return _within(name, budget, outages, what, start)


def gaps_under_load(history: History, kind: str) -> tuple[Gap, ...]:
    """The gaps that are somebody's stall: all of ``publish``; of ``deliver`` those that began before the last confirm of all."""
    confirms = history.rates.get("publish", ())
    over = max((at for at, _ in confirms), default=math.inf) if kind == "deliver" else math.inf
    return tuple(gap for gap in history.gaps if gap.kind == kind and gap.start < over - IN_FLIGHT)


def _closed(gap_end: float, window_end: float) -> tuple[float, bool]:
    is_open = not math.isfinite(gap_end) or gap_end >= window_end
    return (window_end if not math.isfinite(gap_end) else gap_end), is_open


def _unserved(history: History) -> list[Outage]:
    by_role: dict[str, list[Connect]] = defaultdict(list)
    for connect in sorted(history.connects, key=lambda connect: connect.at):
        by_role[connect.role].append(connect)
    return [outage for role, tries in by_role.items() for outage in _runs_of(role, tries, history.window[1])]


def _runs_of(role: str, tries: Sequence[Connect], window_end: float) -> Iterable[Outage]:
    failed: list[Connect] = []
    since: list[Connect] = []  # good ones after the last failed one
    lucky = 0  # good ones between failed ones
    for connect in tries:
        if connect.ok:
            if since or not failed:
                yield Outage(role, connect.at, _end(connect), False, _why([], 0, connect.peer))
            since.append(connect)
            continue
        if failed and since and connect.at - _end(failed[-1]) >= STEADY:
            yield Outage(role, failed[0].at, _end(since[0]), False, _why(failed, lucky, since[0].peer))
            failed, lucky = [], 0
        elif failed:
            lucky += len(since)
        failed.append(connect)
        since = []
    if failed and since:
        yield Outage(role, failed[0].at, _end(since[0]), False, _why(failed, lucky, since[0].peer))
    elif failed:
        yield Outage(role, failed[0].at, max(window_end, _end(failed[-1])), True, _why(failed, lucky, ""))


def _end(connect: Connect) -> float:
    return connect.at + connect.seconds


def _why(failed: Sequence[Connect], lucky: int, peer: str) -> str:
    served = f"then served by {peer}" if peer else ""
    if not failed:
        return served
    tries = f"{len(failed)} failed {'try' if len(failed) == 1 else 'tries'}"
    tries += f" with {lucky} good between them" if lucky else ""
    told = f"{tries}, the last: {failed[-1].error or 'no error given'}"
    return f"{told}; {served}" if served else told


def _within(name: str, budget: Budget, outages: Sequence[Outage], what: str, since: float) -> Verdict:
    longest = max(outages, key=lambda outage: outage.seconds, default=None)
    measured = round(longest.seconds, 3) if longest else 0.0
    worst = f"{measured:.1f} s{' and more' if longest and longest.is_open else ''}, budget {budget}"
    over = sorted((o for o in outages if o.seconds > budget.seconds), key=lambda outage: -outage.seconds)
    outcome = Outcome.BROKEN if over else Outcome.HELD
    evidence = tuple(outage.told(since) for outage in over)
    return Verdict(outcome, name, what.format(worst=worst), evidence, measured, budget.seconds)


def _named(check: Checker, name: str) -> Checker:
    check.__name__ = name
    return check
