"""Who leads after the leader was lost."""

from __future__ import annotations

import pytest

from pytest_rmqha.checkers.promotion import election, promoted
from pytest_rmqha.checkers.verdict import Outcome
from pytest_rmqha.waiting import seconds

A, B, C = "rabbit@rmq1", "rabbit@rmq2", "rabbit@rmq3"


@pytest.mark.parametrize(
    ("before", "after", "synced", "outcome", "reason"),
    [
        (A, B, {A, B}, Outcome.HELD, f"{B} was in sync and leads now, after {A}"),
        (A, C, {A, B}, Outcome.BROKEN, f"{C} was not in sync and leads now, after {A}; in sync were {B}"),
        (A, None, {A, B, C}, Outcome.BROKEN, f"nobody leads after {A}; in sync were {B}, {C}"),
        (A, None, {A}, Outcome.UNDECIDED, f"no mirror was in sync when {A} was lost: none to promote"),
        (A, C, {A}, Outcome.BROKEN, f"{C} was not in sync and leads now, after {A}; in sync were nobody"),
        (A, A, {A, B}, Outcome.UNDECIDED, f"{A} led before and leads still: no change was seen"),
        (None, B, {B}, Outcome.UNDECIDED, "nobody led before the fault: there was nothing to succeed"),
    ],
)
def test_a_promotion(before: str | None, after: str | None, synced: set[str], outcome: Outcome, reason: str) -> None:
    verdict = promoted(before, after, frozenset(synced))

    assert (verdict.outcome, verdict.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("after", "took", "outcome"),
    [
        (B, 1.2, Outcome.HELD),
        (B, 11.0, Outcome.BROKEN),
        (B, None, Outcome.UNDECIDED),
        (None, 1.0, Outcome.BROKEN),
        (A, 1.0, Outcome.UNDECIDED),
        ("rabbit@rmq9", 1.0, Outcome.BROKEN),
    ],
)
def test_an_election(after: str | None, took: float | None, outcome: Outcome) -> None:
    assert election(A, after, frozenset({A, B, C}), took=took, within=seconds(10)).outcome is outcome


def test_an_election_without_a_budget_needs_no_time() -> None:
    verdict = election(A, B, frozenset({A, B, C}))

    assert (verdict.outcome, verdict.reason) == (Outcome.HELD, f"{B} was elected after {A}")
