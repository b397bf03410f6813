"""Stalls and unserved connections, on histories typed by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest

from pytest_rmqha.checkers.availability import (
    delivery_stalls_for_at_most,
    gaps_under_load,
    new_connections_are_served_within,
    publishing_stalls_for_at_most,
    quiet_clients_are_served_within,
)
from pytest_rmqha.checkers.verdict import Outcome, Verdict
from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.history import Connect, Gap, History, Stream

END = 60.0


def history(
    *gaps: Gap,
    connects: tuple[Connect, ...] = (),
    confirmed: int = 100,
    delivered: int = 100,
    window: tuple[float, float] = (0.0, END),
    last_confirm: float | None = None,
) -> History:
    load = Stream("p.q", "q", 100, confirmed=Bitmap.first(confirmed), delivered=Bitmap.first(delivered))
    rates = {"publish": ((0.0, 50), (last_confirm, 50))} if last_confirm is not None else {}
    return History(streams=(load,), gaps=gaps, connects=connects, rates=rates, window=window)


def publish(start: float, end: float, role: str = "p.q") -> Gap:
    return Gap(role, "publish", start, end)


def served(*tries: tuple[float, float, bool], within: float = 5) -> Verdict:
    connects = tuple(
        Connect("prober", at, took, ok, "" if ok else "timed out", "rmq1" if ok else "") for at, took, ok in tries
    )
    return new_connections_are_served_within(seconds(within))(history(connects=connects))


def test_a_gap_within_the_budget_is_held_with_measure_and_budget_in_one_line() -> None:
    verdict = publishing_stalls_for_at_most(seconds(15))(history(publish(10, 13.6), publish(20, 21)))

    assert (verdict.outcome, verdict.measured, verdict.budget) == (Outcome.HELD, 3.6, 15)
    assert verdict.checker == "publishing_stalls_for_at_most(15 s)"
    assert verdict.reason == (
        "nothing was confirmed for 3.6 s, budget 15 s, of 60.0 s of load with 100 messages confirmed"
    )


def test_gaps_over_the_budget_are_broken_the_longest_first() -> None:
    load = history(publish(10, 13), publish(20, 21), publish(30, 38, "p.r"))
    verdict = publishing_stalls_for_at_most(seconds(2))(load)

    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 8)
    assert verdict.evidence == ("p.r: 8.0 s from +30.0 s", "p.q: 3.0 s from +10.0 s")


def test_exactly_the_budget_is_held() -> None:
    assert publishing_stalls_for_at_most(seconds(3))(history(publish(10, 13))).outcome is Outcome.HELD


def test_a_gap_that_is_open_at_the_end_counts_up_to_there() -> None:
    for end in (END, math.inf):
        verdict = publishing_stalls_for_at_most(seconds(5))(history(publish(50, end)))

        assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 10)
        assert verdict.evidence == ("p.q: 10.0 s from +50.0 s, still open at the end",)
        assert "10.0 s and more, budget 5 s" in verdict.reason


def test_no_gap_at_all_is_held() -> None:
    assert publishing_stalls_for_at_most(seconds(1))(history()).measured == 0.0


def test_publishing_and_delivery_are_different_stalls() -> None:
    stalled = history(Gap("c.q", "deliver", 10, 30))

    assert publishing_stalls_for_at_most(seconds(5))(stalled).outcome is Outcome.HELD
    assert delivery_stalls_for_at_most(seconds(5))(stalled).measured == 20


def test_a_consumer_that_hangs_while_others_publish_counts_in_full_even_beyond_the_load() -> None:
    hangs = history(Gap("c.q", "deliver", 10, 45), last_confirm=20)

    verdict = delivery_stalls_for_at_most(seconds(20))(hangs)
    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 35)
    assert verdict.evidence == ("c.q: 35.0 s from +10.0 s",)


@pytest.mark.parametrize("start", [19.2, 20.1, 50.0])
def test_what_a_dead_session_held_comes_late_after_the_load_and_is_nobodys_stall(start: float) -> None:
    late = history(Gap("c.q", "deliver", start, 60), last_confirm=20)

    assert delivery_stalls_for_at_most(seconds(5))(late).measured == 0
    assert gaps_under_load(late, "deliver") == ()


def test_a_publisher_that_gets_no_confirm_any_more_stalls_to_the_end() -> None:
    assert publishing_stalls_for_at_most(seconds(5))(history(publish(20, END), last_confirm=20)).measured == 40


def test_nothing_confirmed_or_delivered_at_all_is_undecided() -> None:
    silent = history(publish(0, END), confirmed=0, delivered=0)

    confirms = publishing_stalls_for_at_most(seconds(90))(silent)
    deliveries = delivery_stalls_for_at_most(seconds(90))(silent)

    assert (confirms.outcome, confirms.reason) == (Outcome.UNDECIDED, "nothing happened: no message was confirmed")
    assert (deliveries.outcome, deliveries.reason) == (Outcome.UNDECIDED, "nothing happened: no message was delivered")


def test_an_empty_running_time_is_undecided() -> None:
    assert publishing_stalls_for_at_most(seconds(5))(history(window=(3.0, 3.0))).outcome is Outcome.UNDECIDED


def test_good_connections_are_as_long_as_they_took() -> None:
    verdict = served((0, 0.02, True), (0.5, 0.8, True))

    assert (verdict.outcome, verdict.measured) == (Outcome.HELD, 0.8)
    assert verdict.reason == "a new connection waited 0.8 s, budget 5 s; 2 of 2 tries were good"


def test_a_run_of_failures_lasts_until_the_next_good_one_is_open() -> None:
    verdict = served((0, 0.1, True), (10, 5, False), (15.5, 1, False), (17, 0.5, True), within=6)

    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 7.5)
    told = "prober: 7.5 s from +10.0 s (2 failed tries, the last: timed out; then served by rmq1)"
    assert verdict.evidence == (told,)


def every_third_hangs(start: float, end: float) -> list[tuple[float, float, bool]]:
    """A prober's tries, twice a second, while one broker of three takes a connection and says nothing for 5 s."""
    tries, at = [], start
    while at < end:
        tries += [(at, 5.0, False), (at + 5.0, 0.1, True), (at + 5.5, 0.1, True)]
        at += 6.0
    return tries


def test_a_minute_in_which_every_third_try_hangs_is_one_outage() -> None:
    verdict = served((0, 0.1, True), *every_third_hangs(10, 70), within=10)

    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 59.1)
    told = "prober: 59.1 s from +10.0 s (10 failed tries with 18 good between them, the last: timed out; then served by rmq1)"
    assert verdict.evidence == (told,)


def test_five_seconds_without_a_failed_try_are_between_two_outages() -> None:
    first, last = (10, 1, False), (16, 2, False)
    good = [(11 + n, 0.1, True) for n in range(5)]

    assert served(first, *good, last, (18, 0.5, True)).measured == 2.5
    assert served(first, *good, (15.9, 2, False), (18, 0.5, True)).measured == 8.5


def test_silence_is_no_steady_service() -> None:
    assert served((0, 0.1, True), (10, 1, False), (30, 1, False), (31, 1, True)).measured == 22


def test_luck_before_the_end_is_told_with_the_outage_that_is_still_open() -> None:
    verdict = served((40, 5, False), (45, 0.1, True), (46, 5, False))

    told = "prober: 20.0 s from +40.0 s, still open at the end (2 failed tries with 1 good between them, the last: timed out)"
    assert verdict.evidence == (told,)


def test_a_slow_good_try_counts_after_an_outage_too() -> None:
    assert served((0, 1, False), (1.5, 0.1, True), (2, 8, True)).measured == 8


def test_a_connection_that_is_slow_by_itself_is_broken_too() -> None:
    assert served((0, 70, True)).outcome is Outcome.BROKEN


def test_a_client_that_never_gets_back_is_broken_up_to_the_end() -> None:
    verdict = served((0, 0.1, True), (40, 5, False))

    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 20)
    told = "prober: 20.0 s from +40.0 s, still open at the end (1 failed try, the last: timed out)"
    assert verdict.evidence == (told,)


def test_one_clients_success_does_not_end_anothers_wait() -> None:
    connects = (
        Connect("p.q", 10, 1, False, "refused", ""),
        Connect("prober", 11, 0.1, True, "", "rmq2"),
        Connect("p.q", 18, 1, True, "", "rmq3"),
    )

    assert new_connections_are_served_within(seconds(5))(history(connects=connects)).measured == 9


def test_nobody_tried_or_nobody_was_ever_served_is_undecided() -> None:
    never = served((0, 5, False), (6, 5, False))

    assert served().reason == "nothing happened: no connection was tried"
    assert (never.outcome, never.reason) == (Outcome.UNDECIDED, "none of 2 tries was served; the last error: timed out")


def test_quiet_clients_are_judged_without_those_that_a_scenario_pins_to_a_broker() -> None:
    def told(*tries: Connect) -> Verdict:
        return quiet_clients_are_served_within(seconds(5))(history(connects=tries))

    prober = [Connect("prober", at, 0.1, True, "", "rmq1") for at in range(1, 60, 4)]
    pinned = Connect("pinned", 2.0, 1.0, False, "refused"), Connect("pinned", 40.0, 0.1, True, "", "rmq2")
    idle = Connect("idle", 2.0, 1.0, False, "refused"), Connect("idle", 10.0, 0.1, True, "", "rmq2")

    assert told(*prober, *pinned).outcome is Outcome.HELD
    assert told(*prober, *idle).outcome is Outcome.BROKEN
    assert told(*prober, *idle).reason.startswith("a new connection waited 8.1 s, budget 5 s")
    assert told(*pinned, *idle).reason == "nothing happened: no prober was there"


def test_a_prober_that_stopped_trying_saw_nothing() -> None:
    tries = tuple(Connect("prober", at, 0.1, True, "", "rmq1") for at in range(1, 50, 4))
    verdict = quiet_clients_are_served_within(seconds(5))(history(connects=tries))

    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "the prober tried nothing for 10.9 s, budget 5 s"


def test_tries_that_were_not_kept_prove_nothing() -> None:
    load = dataclasses.replace(history(connects=(Connect("prober", 1.0, 0.1, True),)), connects_unwritten=3)

    for checker in (new_connections_are_served_within, quiet_clients_are_served_within):
        verdict = checker(seconds(90))(load)
        assert verdict.outcome is Outcome.UNDECIDED and "3 tries to connect were too many" in verdict.reason
