"""What a promise measured, against its budget; a red one ends with the lines of the judged files that can have caused it."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import pytest

from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import Checker, Outcome, Verdict
from pytest_rmqha.config.suspects import suspects
from pytest_rmqha.waiting import Budget
from pytest_rmqha.workload.history import History

Blamed = Callable[[str], str]


@pytest.fixture
def blamed(rmq_stack: Any) -> Blamed:
    """``blamed(measure)``: the lines of the judged files that govern it, to follow the value in a red line.

    A file of scenarios takes it with ``blamed = limits.blamed``.
    """
    members = list(rmq_stack.config_files.values())
    if rmq_stack.imported is not None:
        members.append([rmq_stack.imported])
    return lambda measure: suspects(measure, members)


def kept(name: str, holds: object, said: str, lines: str = "") -> Verdict:
    """HELD, or BROKEN with ``lines``; ``said`` names what was seen and what had to be, in either case."""
    return observed(name, bool(holds), said if holds else said + lines)


def within(name: str, value: float, budget: Budget | float, what: str, lines: str = "") -> Verdict:
    """``value`` seconds, infinite for never, below the budget. ``what`` is what took them: "the VIP moved"."""
    limit = budget.seconds if isinstance(budget, Budget) else budget
    took = f"after {value:.1f} s" if math.isfinite(value) else "not at all"
    verdict = kept(name, value < limit, f"{what} {took}, budget {limit:g} s", lines)
    return dataclasses.replace(verdict, measured=round(value, 3), budget=limit)


def blame(verdict: Verdict, lines: str) -> Verdict:
    """A checker's own verdict, with ``lines`` if it is broken: what could not be told has no culprit."""
    return dataclasses.replace(verdict, reason=verdict.reason + lines) if verdict.outcome is Outcome.BROKEN else verdict


def traced(checker: Checker, blamed: Blamed, measure: str) -> Checker:
    """The same checker; what it finds broken ends with the lines that govern ``measure``."""

    lines = blamed(measure)

    @functools.wraps(checker)
    def check(history: History) -> Verdict:
        return blame(checker(history), lines)

    return check


def nobody(_measure: str) -> str:
    """A ``blamed`` that knows of no lines."""
    return ""
