"""verify, judge and recording: the worst wins, all are listed, nothing asserted is no verdict."""

from __future__ import annotations

import pytest

from pytest_rmqha.checkers.meaning import GLOSSARY, explained, meaning_of
from pytest_rmqha.checkers.verdict import Checker, Outcome, Verdict, bounded, judge, recorded, recording, runs, verify
from pytest_rmqha.errors import HarnessError, InvariantNotUpheld, NoVerdict, UserInputError
from pytest_rmqha.workload.history import History

EMPTY = History(())


def says(outcome: Outcome, name: str = "c", *evidence: str) -> Checker:
    return lambda history: Verdict(outcome, name, f"because {name}", evidence)


def test_all_held_are_returned_in_order() -> None:
    verdicts = verify(EMPTY, says(Outcome.HELD, "a"), says(Outcome.HELD, "b"))

    assert [verdict.checker for verdict in verdicts] == ["a", "b"]


def test_broken_wins_over_undecided_and_the_message_lists_all_the_worst_first() -> None:
    with pytest.raises(InvariantNotUpheld) as caught:
        verify(EMPTY, says(Outcome.HELD, "a"), says(Outcome.UNDECIDED, "b"), says(Outcome.BROKEN, "c", "p.q: 3"))

    assert str(caught.value) == "BROKEN c: because c\n    p.q: 3\nUNDECIDED b: because b\nHELD a: because a"


def test_undecided_is_red_and_ours() -> None:
    with pytest.raises(NoVerdict, match="UNDECIDED b: because b") as caught:
        verify(EMPTY, says(Outcome.HELD, "a"), says(Outcome.UNDECIDED, "b"))

    assert isinstance(caught.value, HarnessError)
    assert not isinstance(caught.value, AssertionError)


@pytest.mark.parametrize("nothing", [lambda: verify(EMPTY), judge])
def test_no_checker_is_no_verdict(nothing: Checker) -> None:
    with pytest.raises(NoVerdict, match="nothing was asserted"):
        nothing()  # type: ignore[call-arg]


def test_a_checker_that_crashes_is_undecided_and_the_others_still_run() -> None:
    def crashes(history: History) -> Verdict:
        raise ZeroDivisionError("by zero")

    with recording() as verdicts, pytest.raises(NoVerdict, match="crashed: ZeroDivisionError: by zero"):
        verify(EMPTY, crashes, says(Outcome.HELD))

    assert [verdict.outcome for verdict in verdicts] == [Outcome.UNDECIDED, Outcome.HELD]
    assert verdicts[0].checker == "crashes"
    assert "by zero" in verdicts[0].evidence[-1]


def test_a_checker_factory_that_was_not_called_is_named() -> None:
    def stalls_for_at_most(budget: object) -> Checker:
        return says(Outcome.HELD)

    with pytest.raises(NoVerdict, match="answered function, no Verdict; was it to be called first"):
        verify(EMPTY, stalls_for_at_most)  # type: ignore[arg-type]


def test_recordings_get_every_verdict_nested_ones_too_also_when_verify_raises() -> None:
    with recording() as outer:
        with recording() as inner, pytest.raises(InvariantNotUpheld):
            verify(EMPTY, says(Outcome.BROKEN, "a"))
        verify(EMPTY, says(Outcome.HELD, "b"))

    verify(EMPTY, says(Outcome.HELD, "c"))
    assert [verdict.checker for verdict in inner] == ["a"]
    assert [verdict.checker for verdict in outer] == ["a", "b"]
    assert recorded == []


def test_verdicts_reached_otherwise_are_judged_and_recorded() -> None:
    held = Verdict(Outcome.HELD, "promoted", "rabbit@rmq2 leads")

    with recording() as verdicts:
        assert judge(held) == (held,)
    assert verdicts == [held]


def test_evidence_is_bounded_when_the_verdict_is_made() -> None:
    verdict = Verdict(Outcome.BROKEN, "c", "r", tuple(f"line {n}" for n in range(50)))

    assert len(verdict.evidence) == 21
    assert verdict.evidence[-1] == "and 30 more"
    assert bounded(verdict.evidence) == verdict.evidence


def test_runs_of_numbers_are_short() -> None:
    assert runs([3, 4, 5, 9]) == "3–5, 9"
    assert runs(range(0, 40, 2), shown=3) == "0, 2, 4, and 17 more"
    assert runs([]) == ""


def test_outcomes_are_ordered_by_how_bad_they_are() -> None:
    assert Outcome.HELD < Outcome.UNDECIDED < Outcome.BROKEN


def test_the_glossary_knows_its_words_in_any_case() -> None:
    assert meaning_of("LOST") == GLOSSARY["lost"]
    assert explained(["unknown", "attempted", "Unknown"]) == (
        f"attempted: {GLOSSARY['attempted']}",
        f"unknown: {GLOSSARY['unknown']}",
    )
    with pytest.raises(UserInputError, match="got 'gone'; expected attempted, confirmed, "):
        explained(["gone"])
