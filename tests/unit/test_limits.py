"""A measure and its budget: what a red line says, and that a green one names no suspects."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest

from pytest_rmqha.checkers.verdict import Outcome, Verdict
from pytest_rmqha.waiting import seconds
from tests.gate.scenarios import SUITES

LINES = "; see haproxy.cfg:3: check"


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return importlib.import_module("limits")


@pytest.mark.parametrize(
    ("value", "outcome", "said"),
    [
        (3.44, Outcome.HELD, "the VIP moved after 3.4 s, budget 10 s"),
        (10.0, Outcome.BROKEN, f"the VIP moved after 10.0 s, budget 10 s{LINES}"),
        (math.inf, Outcome.BROKEN, f"the VIP moved not at all, budget 10 s{LINES}"),
    ],
)
def test_a_red_line_names_measure_value_budget_and_place(
    limits: Any, value: float, outcome: Outcome, said: str
) -> None:
    for budget in (seconds(10), 10.0):
        verdict = limits.within("taken_over", value, budget, "the VIP moved", LINES)

        assert (verdict.outcome, verdict.checker, verdict.reason) == (outcome, "taken_over", said)
        assert (verdict.measured, verdict.budget) == (value, 10.0)


def test_suspects_follow_only_what_is_red(limits: Any) -> None:
    assert limits.kept("a", True, "as it has to be", LINES).reason == "as it has to be"
    assert limits.kept("a", False, "3 of 4", LINES).reason == f"3 of 4{LINES}"
    for outcome, reason in ((Outcome.HELD, "x"), (Outcome.UNDECIDED, "x"), (Outcome.BROKEN, f"x{LINES}")):
        assert limits.blame(Verdict(outcome, "a", "x"), LINES).reason == reason
