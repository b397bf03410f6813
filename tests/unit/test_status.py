"""What the one line says, on a clock that only moves when it is told to."""

from __future__ import annotations

import threading

import pytest

from pytest_rmqha.errors import BudgetSpent
from pytest_rmqha.status import LoadRates, Status, Step
from pytest_rmqha.timeline import Event, Timeline
from pytest_rmqha.waiting import Wait, await_match, awaited, seconds

STEPS = [Step("a", "N1", "kill", 30), Step("b", "N5", "kill", 30), Step("c", "P2", "cut", 60)]


class Hands:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def status(hands: Hands, wait: Wait | None = None, **more: object) -> Status:
    return Status(STEPS, 45, awaits=lambda: wait, clock=hands, **more)  # type: ignore[arg-type]


def happens(one: Status, hands: Hands, kind: str, subject: str = "x") -> None:
    one.heard(Event(hands.at, kind, subject))


def test_the_phases_of_a_scenario() -> None:
    hands = Hands()
    one = status(hands)
    assert one.line() == "[3 tests] bring-up | session: about 2 min left"

    one.begin("a")
    happens(one, hands, "wait.begin", "bring-up: link proxies")
    assert "[1/3 N1] bring-up: link proxies |" in one.line()
    for kind, said in (
        ("scenario.begin", "no fault yet"),
        ("fault.injected", "fault injected: kill rmq3"),
        ("fault.seen", "fault seen in effect: kill rmq3"),
        ("fault.healed", "healing: kill rmq3"),
        ("fault.gone", "fault gone: kill rmq3"),
        ("client", "fault gone: kill rmq3"),
        ("wait.begin", "fault gone: kill rmq3"),
    ):
        happens(one, hands, kind, "kill rmq3")
        assert f"[1/3 N1] {said} |" in one.line()
    happens(one, hands, "wait.begin", "steady state afterwards")
    assert "[1/3 N1] steady state afterwards |" in one.line()
    happens(one, hands, "scenario.end")
    assert "scenario over" in one.line()

    one.end("a")
    assert one.line().startswith("[3 tests] between scenarios")
    one.begin("not one of ours")
    assert one.line().startswith("[3 tests] between scenarios")


def test_what_is_awaited_and_for_how_long_yet() -> None:
    hands = Hands()
    one = status(hands, Wait("every broker\nlistening", hands.at + 12, hands))
    assert "| awaits every broker listening, 12 s left |" in one.line()
    hands.at += 20
    assert "listening, 0 s left" in one.line()


def test_a_narrow_terminal_cuts_words_and_no_number() -> None:
    hands = Hands()
    wait = Wait("messages that a dead session holds", hands.at + 52, hands)
    one = status(hands, wait, rates=lambda: "298/s confirmed, 301/s delivered")
    one.begin("a")
    happens(one, hands, "fault.gone", "keepalived stopped on the balancer lb1")

    whole = one.line()
    assert one.line(len(whole)) == whole
    for width in (79, 100, len(whole) - 1):
        cut = one.line(width)
        assert len(cut) <= width
        assert all(part in cut for part in ("[1/3 N1] fault gon", ", 52 s left", "298/s, 301/s", "2 min left")), cut


def test_what_is_left_of_the_session() -> None:
    hands = Hands()
    one = status(hands)
    assert one.left() == 45 + 90
    one.begin("a")
    hands.at += 20
    assert one.left() == 25 + 90

    happens(one, hands, "scenario.begin")
    assert one.left() == 90
    hands.at += 10
    assert one.left() == 80
    hands.at += 1000
    assert one.left() == 60
    one.end("a")
    one.begin("b")  # the same play: paid already
    assert one.left() == 60
    one.end("b")
    one.begin("c")
    hands.at += 59
    assert one.line().endswith("session: about 1 s left")


def test_rates_are_told_while_they_are_fresh() -> None:
    hands = Hands()
    rates = LoadRates(hands)
    one = status(hands, rates=rates)
    assert "/s" not in one.line()
    rates.counted(1000, 100, 90)
    rates.counted(1000.2, 900, 900)  # too soon to make a rate of
    rates.counted(1002, 700, 690)
    hands.at = 1003
    assert "300/s confirmed, 300/s delivered" in one.line()
    hands.at = 1013
    assert "/s" not in one.line()


def test_a_new_load_begins_from_its_own_totals() -> None:
    hands = Hands()
    rates = LoadRates(hands)
    rates.counted(1000, 500, 500)
    rates.counted(1002, 10, 10)
    assert rates() == ""
    rates.counted(1004, 30, 30)
    hands.at = 1004
    assert rates() == "10/s confirmed, 10/s delivered"


def test_rates_that_fail_and_control_characters_harm_nobody() -> None:
    hands = Hands()
    one = status(hands, rates=lambda: str(1 / 0))
    happens(one, hands, "fault.seen", "\x1b[31mred\r\nfault")
    assert "fault seen in effect: [31mred fault |" in one.line()


# where it comes from: the timeline and the polling loop


def test_a_listener_is_told_each_event_until_it_ends() -> None:
    timeline, told = Timeline(), list[str]()
    end = timeline.subscribe(lambda event: told.append(event.subject))
    timeline.add("note", "one")
    end()
    timeline.add("note", "two")
    assert told == ["one"]


def test_a_listener_that_fails_is_told_nothing_more_and_the_event_stands() -> None:
    timeline, told = Timeline(), list[str]()
    timeline.subscribe(lambda event: 1 / 0)
    timeline.subscribe(lambda event: told.append(event.subject))
    timeline.add("note", "one")
    timeline.add("note", "two")
    assert [event.subject for event in timeline.events] == ["one", "timeline", "two"]
    assert told == ["timeline", "one", "two"]


def test_a_listener_may_read_the_timeline() -> None:
    timeline, seen = Timeline(), list[int]()
    timeline.subscribe(lambda _event: seen.append(len(timeline.events)))
    timeline.add("note", "one")
    assert seen == [1]


def test_the_innermost_wait_is_what_is_awaited() -> None:
    told: list[tuple[str, float]] = []

    def note() -> bool:
        wait = awaited()
        assert wait is not None
        told.append((wait.what, round(wait.left)))
        return True

    def outer() -> bool:
        await_match(note, bool, what="inner", within=seconds(5))
        return note()

    assert awaited() is None
    thread = threading.Thread(target=lambda: await_match(outer, bool, what="outer", within=seconds(50)))
    thread.start()
    thread.join()
    assert told == [("inner", 5), ("outer", 50)]
    with pytest.raises(BudgetSpent):
        await_match(lambda: False, bool, what="nothing", within=seconds(0))
    assert awaited() is None
