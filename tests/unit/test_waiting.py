"""Budget and await_match, on a clock that only moves when it is told to."""

from __future__ import annotations

import pytest

from pytest_rmqha.errors import BudgetSpent, NoVerdict, ToolFailed, UserInputError
from pytest_rmqha.waiting import Budget, await_match, scale_budgets, seconds


class Hands:
    """A clock whose time passes by sleeping, and by ``cost`` for each look."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.at

    def sleep(self, length: float) -> None:
        self.slept.append(round(length, 6))
        self.at += length


def test_a_match_at_once_returns_without_sleeping() -> None:
    hands = Hands()

    found = await_match(lambda: 7, lambda n: n == 7, what="7", within=seconds(5), clock=hands.clock, sleep=hands.sleep)

    assert found == 7
    assert hands.slept == []


def test_it_sleeps_the_smaller_of_poll_and_remaining_and_asks_once_more_at_the_deadline() -> None:
    hands = Hands()
    asked: list[float] = []

    with pytest.raises(BudgetSpent):
        await_match(
            lambda: asked.append(round(hands.at - 100, 6)),
            bool,
            what="it",
            within=seconds(0.5),
            every=0.2,
            clock=hands.clock,
            sleep=hands.sleep,
        )

    assert hands.slept == [0.2, 0.2, 0.1]
    assert asked == [0.0, 0.2, 0.4, 0.5]


def test_what_comes_true_at_the_deadline_is_a_match() -> None:
    hands = Hands()

    found = await_match(
        hands.clock, lambda t: t >= 101, what="it", within=seconds(1), every=0.4, clock=hands.clock, sleep=hands.sleep
    )

    assert found == pytest.approx(101)


def test_no_budget_at_all_still_asks_once() -> None:
    assert await_match(lambda: 1, bool, what="it", within=seconds(0)) == 1

    with pytest.raises(BudgetSpent, match="1 try"):
        await_match(lambda: 0, bool, what="it", within=seconds(0))


def test_a_slow_question_gets_its_last_look_after_the_deadline() -> None:
    hands = Hands()
    answers = iter([False, True])

    def slow() -> bool:
        hands.at += 30
        return next(answers)

    assert await_match(slow, bool, what="it", within=seconds(5), clock=hands.clock, sleep=hands.sleep)
    assert hands.slept == []


def test_the_error_says_what_was_last_seen_for_how_long_and_with_which_budget() -> None:
    hands = Hands()

    with pytest.raises(NoVerdict) as caught:
        await_match(
            lambda: {"rmq2"},
            lambda s: not s,
            what="every node up",
            within=seconds(3),
            every=1,
            error=NoVerdict,
            clock=hands.clock,
            sleep=hands.sleep,
        )

    assert str(caught.value) == "waited in vain for every node up (3.0 s of 3 s, 4 tries); last seen: {'rmq2'}"
    assert caught.value.__cause__ is None


def test_an_ignored_exception_is_an_answer_and_the_cause_if_it_was_the_last() -> None:
    hands = Hands()

    def broken() -> bool:
        raise ToolFailed("rmq1 refused")

    with pytest.raises(BudgetSpent, match="last seen: ToolFailed: rmq1 refused") as caught:
        await_match(
            broken, bool, what="it", within=seconds(1), ignore=(ToolFailed,), clock=hands.clock, sleep=hands.sleep
        )

    assert isinstance(caught.value.__cause__, ToolFailed)


def test_other_exceptions_pass_through_at_once() -> None:
    with pytest.raises(KeyError):
        await_match(dict[str, bool]().popitem, bool, what="it", within=seconds(60), ignore=(ToolFailed,))


def test_a_long_answer_is_shortened() -> None:
    with pytest.raises(BudgetSpent, match="… and 4402 more characters"):
        await_match(lambda: "x" * 5000, lambda _: False, what="it", within=seconds(0))


@pytest.mark.parametrize("length", [-1, float("nan"), float("inf"), True, "5"])
def test_a_length_of_time_that_is_none_is_refused(length: float) -> None:
    with pytest.raises(UserInputError, match=r"expected a finite number .*\. To do: write it as seconds\(15\)\."):
        Budget(length)


def test_budgets_compare_and_show_themselves() -> None:
    assert seconds(2) < seconds(3)
    assert str(seconds(0.25)) == "0.25 s"


def test_a_slow_machines_scale_lengthens_every_budget_the_ones_made_before_included() -> None:
    before = seconds(2)
    scale_budgets(1.5)
    try:
        assert (before.seconds, seconds(4).seconds, str(before)) == (3, 6, "3 s")
        assert before.stated == 2
    finally:
        scale_budgets(1)
