"""Whether haproxy's log has each session that clients made through it: one line each, in the order in which they ended.

The load client does not tell its ports, so a session and a line belong together by time: haproxy accepted it between the
beginning and the end of the client's try. Each line counts for one session only. Limit: a line of a try that failed, of
which no session is wanted, may stand for one that is missing within the same half second.
"""

from __future__ import annotations

import contextlib
import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from plays.logs import lines_since
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.errors import BudgetSpent
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import PROBER, Connect, History

SESSION = re.compile(r"\S+:\d+ \[(?P<accepted>[^\]]+)\] \S+ amqp_brokers/\S+ \d+/\d+/(?P<lasted>\d+) ")
ACCEPTED = "%d/%b/%Y:%H:%M:%S.%f"
SLACK = 0.5  # the wall clock of the log against ours, which is anchored once
ORDER = 0.5  # haproxy has several threads, on two busy cores
WRITTEN_WITHIN = seconds(10)


@dataclass(frozen=True)
class Line:
    """A session that reached a broker and has ended: when it was accepted and when it ended, monotonic seconds."""

    accepted: float
    ended: float


@dataclass(frozen=True)
class Logged:
    """``made``: sessions that have to be in the log. ``missing`` and ``disordered``: sentences about those that are not, or late."""

    made: int
    missing: tuple[str, ...]
    disordered: tuple[str, ...]


def through(history: History, way: str) -> tuple[Connect, ...]:
    """Sessions that clients made there (``address:port``), in the order of time."""
    return tuple(sorted((c for c in history.connects if c.ok and c.peer == way), key=lambda c: c.at))


def over_before(history: History, way: str, until: float) -> tuple[Connect, ...]:
    """Those of ``through`` that had ended by then: the prober's, and those whose client tried again.

    What lived on until its haproxy was killed is logged by nobody.
    """
    tries = [c for c in history.connects if c.at < until - SLACK]
    last = {role: max(c.at for c in tries if c.role == role) for role in {c.role for c in tries}}
    return tuple(
        c
        for c in through(history, way)
        if c.at + c.seconds < until - SLACK and (c.role == PROBER or c.at < last.get(c.role, 0.0))
    )


def logged(balancer: Balancer, made: Sequence[Connect], since: float) -> Logged:
    """How this balancer's log since then tells of ``made``; what is written when a session ends may lag behind."""

    def ask() -> Logged:
        lines = parsed(lines_since(balancer.containers, balancer.service, since))
        missing = (f"{c.role} at +{c.at - since:.1f} s" for c in unmatched(made, lines))
        return Logged(len(made), tuple(missing), out_of_order(lines, since))

    try:
        return await_match(
            ask,
            lambda seen: not seen.missing,
            what=f"every session in {balancer}'s log",
            within=WRITTEN_WITHIN,
            every=0.5,
        )
    except BudgetSpent:
        return ask()


def parsed(lines: Sequence[str]) -> tuple[Line, ...]:
    """The sessions of a log in ``option tcplog`` format that reached a broker, in its order; other lines are none."""
    zero = clock.utc(0).timestamp()
    found = []
    for match in filter(None, map(SESSION.match, lines)):
        with contextlib.suppress(ValueError):
            accepted = datetime.strptime(match["accepted"], ACCEPTED).replace(tzinfo=UTC).timestamp() - zero
            found.append(Line(accepted, accepted + int(match["lasted"]) / 1000))
    return tuple(found)


def unmatched(made: Sequence[Connect], lines: Sequence[Line]) -> tuple[Connect, ...]:
    """Sessions that are left without a line when as many as possible have one of their own.

    In the order of time each line goes to the session, of those that it can be, whose time is over first: no other way to
    pair moments with stretches leaves fewer.
    """
    waiting = sorted(made, key=lambda c: c.at)
    open_: list[tuple[float, int]] = []
    left, begun = set(range(len(waiting))), 0
    for accepted in sorted(line.accepted for line in lines):
        while begun < len(waiting) and waiting[begun].at - SLACK <= accepted:
            heapq.heappush(open_, (waiting[begun].at + waiting[begun].seconds + SLACK, begun))
            begun += 1
        while open_ and open_[0][0] < accepted:
            heapq.heappop(open_)
        if open_:
            left.remove(heapq.heappop(open_)[1])
    return tuple(waiting[number] for number in sorted(left))


def out_of_order(lines: Sequence[Line], since: float) -> tuple[str, ...]:
    """Lines that stand behind one of a session that ended later; a few milliseconds are no order.

    Sessions that were accepted before ``since`` are left out: haproxy's session time leaves out a freeze that they may have lived
    through, so when they ended is not known.
    """
    found, latest = [], float("-inf")
    for line in (line for line in lines if line.accepted >= since):
        if line.ended < latest - ORDER:
            found.append(f"one that ended at +{line.ended - since:.1f} s behind one of +{latest - since:.1f} s")
        latest = max(latest, line.ended)
    return tuple(found)
