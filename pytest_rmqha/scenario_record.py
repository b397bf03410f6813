"""Turns the phases of one test into its ScenarioRecord, and holds a scenario to having recorded a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from pytest_rmqha.checkers.verdict import Outcome, Verdict, recording
from pytest_rmqha.errors import NoVerdict
from pytest_rmqha.markers import MARKS
from pytest_rmqha.session_report import FAILED, MEASURED, PASSED, UNDECIDED, Measured, ScenarioRecord, classify, worst


@dataclass
class Phases:
    """What one test has come to so far."""

    outcomes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    verdicts: tuple[str, ...] = ()
    held: bool = False


OUTCOMES = {Outcome.BROKEN: FAILED, Outcome.UNDECIDED: UNDECIDED}
"""A red verdict counts whether or not what it raised was caught."""
PHASES: pytest.StashKey[Phases] = pytest.StashKey()


def is_scenario(item: pytest.Item) -> bool:
    return MARKS in item.stash and bool(item.stash[MARKS].ids)


def line_of(verdict: Verdict) -> str:
    measured = (
        f" (measured {verdict.measured:g}, budget {verdict.budget:g})"
        if verdict.measured is not None and verdict.budget
        else ""
    )
    return f"{verdict.outcome.name} {verdict.checker}: {verdict.reason}{measured}"


@contextmanager
def held_to_a_verdict(item: pytest.Item) -> Iterator[None]:
    """Around the test function: ending without a recorded verdict, or by a skip or an xfail, is NoVerdict."""
    phases = item.stash.setdefault(PHASES, Phases())
    phases.held = True
    with recording() as verdicts:
        try:
            yield
        except (pytest.skip.Exception, pytest.xfail.Exception) as left:
            raise left_by(left) from None
        finally:
            phases.verdicts = tuple(line_of(verdict) for verdict in verdicts)
            phases.outcomes += [OUTCOMES[verdict.outcome] for verdict in verdicts if verdict.outcome in OUTCOMES]
    if not phases.verdicts:
        raise NoVerdict(
            "the scenario asserts nothing: it recorded no verdict. End it with verify(history, <checkers>) "
            "or judge(<verdicts>), so that a green line means that something was seen to hold"
        )


def left_by(left: BaseException) -> NoVerdict:
    """Of a skip or an xfail."""
    return NoVerdict(
        f"the scenario left by {type(left).__name__.lower()} ({left}): what does not apply is left out before "
        "it starts, with rmq_requires or rmq_profile"
    )


def refuse_unwatched(item: pytest.Item) -> None:
    """NoVerdict for a test whose call did not go through ``held_to_a_verdict``."""
    if not item.stash.setdefault(PHASES, Phases()).held:
        raise NoVerdict("nobody watched this test for a verdict: write it as a plain function")


def is_red(item: pytest.Item) -> bool:
    return worst(item.stash[PHASES].outcomes) != PASSED


def note_phase(item: pytest.Item, call: pytest.CallInfo[None]) -> ScenarioRecord | None:
    """Takes in one phase; after the last one, the record. JUnit reads the properties with the teardown report."""
    phases = item.stash.setdefault(PHASES, Phases())
    error = call.excinfo.value if call.excinfo else None
    phases.outcomes.append(classify(error))
    phases.seconds += call.duration
    if error is not None and not phases.error:
        first = (str(error).strip().splitlines() or [""])[0]
        phases.error = f"{type(error).__name__}: {first[:300]}"
    if call.when == "teardown":
        item.user_properties += properties(found := record_of(item))
        return found
    return None


def record_of(item: pytest.Item) -> ScenarioRecord:
    """What the phases so far have come to. A red one stands from then on: a session may end before its teardown is over."""
    phases = item.stash[PHASES]
    marks = item.stash[MARKS]
    return ScenarioRecord(
        ids=marks.ids,
        nodeid=item.nodeid,
        kind=marks.kind,
        outcome=worst(phases.outcomes),
        seconds=phases.seconds,
        measured=item.stash.get(MEASURED, Measured()),
        verdicts=phases.verdicts,
        error=phases.error,
    )


def properties(record: ScenarioRecord) -> list[tuple[str, object]]:
    """The record as JUnit properties, named as those of its measurements are."""
    found: list[tuple[str, object]] = [("rmq.scenario", name) for name in record.ids]
    found += [("rmq.kind", record.kind), ("rmq.outcome", record.outcome)]
    if record.measured.outage is not None:
        found.append(("rmq.outage.seconds", round(record.measured.outage, 3)))
    found += [(f"rmq.{name}", getattr(record.measured, name)) for name in ("lost", "duplicated", "unknown")]
    return found + [("rmq.verdict", line) for line in record.verdicts]
