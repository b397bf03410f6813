"""Holders of the VIP, from events typed by hand."""

from __future__ import annotations

from pytest_rmqha.checkers.verdict import Outcome
from pytest_rmqha.checkers.vip import holder_moved, interruptions, one_holder_outside_transitions, stretches
from pytest_rmqha.timeline import Event
from pytest_rmqha.waiting import seconds

VIP = "198.18.40.100"


def vip(at: float, member: str, state: str, address: str = VIP) -> Event:
    return Event(at, "vip", address, state, {"member": member, "held": state == "held"})


START = (vip(0, "lb1", "held"), vip(0.01, "lb2", "not held"))
END = Event(100, "note", "the end")


def test_a_quiet_run_has_one_holder_and_no_interruption() -> None:
    verdict = one_holder_outside_transitions([*START, END], seconds(5))

    assert (verdict.outcome, verdict.measured, verdict.budget) == (Outcome.HELD, 0.01, 5)
    assert verdict.reason.endswith("budget 5 s; 0 interruptions")


def test_a_move_with_a_short_gap_is_one_interruption() -> None:
    events = [*START, vip(20, "lb1", "not held"), vip(23.5, "lb2", "held"), END]

    verdict = one_holder_outside_transitions(events, seconds(5))
    assert (verdict.outcome, verdict.measured) == (Outcome.HELD, 3.5)
    assert interruptions(stretches(events, VIP)) == 1
    assert one_holder_outside_transitions(events, seconds(3)).outcome is Outcome.BROKEN


def test_two_holders_over_the_budget_are_broken_and_told() -> None:
    events = [*START, vip(20, "lb2", "held"), vip(50, "lb2", "not held"), END]

    verdict = one_holder_outside_transitions(events, seconds(5))
    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 30)
    assert verdict.evidence == (f"{VIP}: lb1 and lb2 for 30.0 s from +20.0 s",)


def test_a_stretch_that_is_open_at_the_end_counts_up_to_the_last_event() -> None:
    verdict = one_holder_outside_transitions([*START, vip(20, "lb1", "not held"), END], seconds(5))

    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 80)


def test_steps_of_one_transition_are_one_stretch() -> None:
    events = [
        *START,
        vip(20, "lb2", "held"),
        vip(23, "lb1", "not held"),
        vip(23, "lb2", "not held"),
        vip(26, "lb2", "held"),
        END,
    ]

    assert one_holder_outside_transitions(events, seconds(5)).measured == 6
    assert interruptions(stretches(events, VIP)) == 1


def test_a_member_that_does_not_answer_makes_a_long_stretch_undecided() -> None:
    events = [*START, vip(20, "lb1", "unanswered"), vip(40, "lb1", "held"), END]

    verdict = one_holder_outside_transitions(events, seconds(5))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.evidence == (f"{VIP}: nobody for 20.0 s from +20.0 s, lb1 did not answer",)


def test_a_member_without_an_event_yet_is_unknown_and_not_without_the_address() -> None:
    changes_only = [vip(20, "lb2", "held"), vip(60, "lb1", "not held"), END]

    assert one_holder_outside_transitions(changes_only, seconds(5)).outcome is Outcome.UNDECIDED


def test_the_window_cuts_and_still_knows_the_state_before_it() -> None:
    events = [*START, vip(20, "lb1", "not held"), vip(50, "lb2", "held"), END]

    assert one_holder_outside_transitions(events, seconds(5), window=(60, 90)).outcome is Outcome.HELD
    assert one_holder_outside_transitions(events, seconds(5), window=(40, 90)).measured == 10


def test_no_holder_ever_is_undecided() -> None:
    assert one_holder_outside_transitions([END], seconds(5)).outcome is Outcome.UNDECIDED
    assert one_holder_outside_transitions([vip(0, "lb1", "not held"), END], seconds(5)).outcome is Outcome.UNDECIDED


def test_each_address_has_its_own_holder() -> None:
    other = "198.18.40.101"
    events = [*START, vip(0, "lb2", "held", other), vip(30, "lb2", "not held", other), END]

    verdict = one_holder_outside_transitions(events, seconds(5))
    assert verdict.evidence == (f"{other}: nobody for 70.0 s from +30.0 s",)


def test_a_move_there_and_back_is_counted() -> None:
    events = [
        *START,
        vip(20, "lb1", "not held"),
        vip(23, "lb2", "held"),
        vip(60, "lb2", "not held"),
        vip(60.1, "lb1", "held"),
        END,
    ]

    verdict = holder_moved(events, VIP, before="lb1", after="lb1", times=2)
    assert (verdict.outcome, verdict.measured, verdict.budget) == (Outcome.HELD, 2, 2)
    assert verdict.reason == f"{VIP} went lb1 → lb2 → lb1 with 2 interruptions"
    assert holder_moved(events, VIP, before="lb1", after="lb1", times=1).outcome is Outcome.BROKEN


def test_the_wrong_end_is_broken_and_the_wrong_beginning_undecided() -> None:
    events = [*START, END]

    assert holder_moved(events, VIP, before="lb1", after="lb2").reason == (
        f"{VIP} went lb1 with 0 interruptions; it was to end at lb2 alone"
    )
    assert holder_moved(events, VIP, before="lb1", after="lb2").outcome is Outcome.BROKEN
    assert holder_moved(events, VIP, before="lb2", after="lb1").outcome is Outcome.UNDECIDED
    assert holder_moved([END], VIP, before="lb1", after="lb2").outcome is Outcome.UNDECIDED


def test_an_end_that_could_not_be_asked_is_undecided() -> None:
    events = [*START, vip(20, "lb1", "unanswered"), END]

    assert holder_moved(events, VIP, before="lb1", after="lb2").outcome is Outcome.UNDECIDED
