"""V23: every session that a client made has a line of its own in haproxy's log, whatever else is in it."""

from __future__ import annotations

import functools
import importlib
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha import clock, waiting
from pytest_rmqha.workload.history import Connect, History
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Hands

WAY = "192.0.2.100:5672"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return importlib.import_module("plays.logged_sessions")


def made(at: float, role: str = "prober", took: float = 0.02, ok: bool = True, peer: str = WAY) -> Connect:
    return Connect(role, at, took, ok, "", peer)


def line(accepted: float, lasted: float = 0.05, server: str = "rmq1", times: str = "1/0") -> str:
    moment: datetime = clock.utc(accepted)
    stamp = f"{moment:%d/%b/%Y:%H:%M:%S}.{moment.microsecond // 1000:03d}"
    return f"192.0.2.60:41234 [{stamp}] amqp amqp_brokers/{server} {times}/{round(lasted * 1000)} 900 -- 9/8/7/3/0 0/0"


def unmatched(play: Any, tries: list[Connect], lines: list[str]) -> list[float]:
    return [c.at for c in play.unmatched(tries, play.parsed(lines))]


def test_a_line_tells_when_the_session_began_and_ended(play: Any) -> None:
    (found,) = play.parsed([line(1000.25, lasted=5.0), "Server amqp_brokers/rmq2 is DOWN, reason: Layer4 timeout"])

    assert (found.accepted, found.ended) == (pytest.approx(1000.25, abs=0.002), pytest.approx(1005.25, abs=0.002))


@pytest.mark.parametrize("times", ["-1/-1", "1/-1"])
def test_who_never_reached_a_broker_has_no_session(play: Any, times: str) -> None:
    assert play.parsed([line(1000.0, times=times)]) == ()


def test_each_session_with_a_line_of_its_own_is_matched(play: Any) -> None:
    tries = [made(1000 + number / 2) for number in range(40)]

    assert unmatched(play, tries, [line(c.at + 0.003) for c in tries]) == []


@pytest.mark.parametrize("gone", [0, 17, 39])
def test_a_line_that_is_missing_is_not_made_up_for_by_its_neighbours(play: Any, gone: int) -> None:
    tries = [made(1000 + number / 2) for number in range(40)]
    lines = [line(c.at + 0.003) for number, c in enumerate(tries) if number != gone]

    assert len(unmatched(play, tries, lines)) == 1


def test_many_lines_of_another_time_stand_for_nobody(play: Any) -> None:
    """What counting all lines missed: twice as many lines as sessions, none of them of the session."""
    lines = [line(1000 + number / 100) for number in range(50)]

    assert unmatched(play, [made(1000.2), made(1005.0)], lines) == [1005.0]


def test_a_slow_try_may_be_accepted_at_any_moment_of_it_and_leaves_the_others_theirs(play: Any) -> None:
    tries = [made(1000.0, took=9.0), made(1003.0), made(1006.0)]

    assert unmatched(play, tries, [line(1003.01), line(1006.01), line(1008.0)]) == []
    assert unmatched(play, tries, [line(1003.01), line(1006.01)]) == [1000.0]


def test_what_had_ended_are_the_probers_and_whoever_tried_again(play: Any) -> None:
    connects = (
        made(1000.0),
        made(1009.8),
        made(1001.0, role="idle"),
        made(1005.0, role="idle", ok=False),
        made(1006.0, role="idle"),
        made(1002.0, role="held"),
        made(1003.0, peer="192.0.2.1:5672"),
        made(1020.0, role="held"),
    )
    history = History((), connects=connects)

    over = play.over_before(history, WAY, until=1010.0)

    assert [(c.role, c.at) for c in over] == [("prober", 1000.0), ("idle", 1001.0)]


def test_lines_stand_in_the_order_in_which_sessions_ended(play: Any) -> None:
    lines = play.parsed([line(1001, lasted=0.1), line(1000, lasted=1.3), line(1000.5, lasted=0.7)])

    assert play.out_of_order(lines, 990.0) == ()


def test_a_line_that_comes_too_late_is_named(play: Any) -> None:
    lines = play.parsed([line(1000, lasted=9.0), line(1000.5, lasted=0.7), line(1010)])

    assert play.out_of_order(lines, 990.0) == ("one that ended at +11.2 s behind one of +19.0 s",)


def test_a_session_from_before_may_have_lived_through_a_freeze_and_is_held_to_no_order(play: Any) -> None:
    frozen_for = 4.0
    left_over, younger = line(980, lasted=16.0 - frozen_for), line(993, lasted=2.5)

    lines = play.parsed([younger, left_over])

    assert play.out_of_order(lines, 990.0) == ()
    assert play.out_of_order(lines, 970.0) == ("one that ended at +22.0 s behind one of +25.5 s",)


@pytest.mark.parametrize(("late", "missing"), [(3.0, ()), (60.0, ("prober at +5.0 s",))])
def test_a_line_may_lag_behind_but_not_for_ever(
    play: Any, monkeypatch: pytest.MonkeyPatch, late: float, missing: tuple[str, ...]
) -> None:
    hands = Hands()
    monkeypatch.setattr(play, "await_match", functools.partial(waiting.await_match, clock=hands.now, sleep=hands.sleep))
    monkeypatch.setattr(play, "lines_since", lambda *_: [line(1005.0)] if hands.at > 100 + late else [])
    balancer = SimpleNamespace(containers=None, service="lb1")

    seen = play.logged(balancer, [made(1005.0)], since=1000.0)

    assert (seen.made, seen.missing) == (1, missing)


def test_a_line_in_another_format_is_no_session(play: Any) -> None:
    assert play.parsed(["192.0.2.60:1 [today] amqp amqp_brokers/rmq1 1/0/50 900 -- 9/8/7/3/0 0/0"]) == ()
