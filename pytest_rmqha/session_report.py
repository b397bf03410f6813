"""What the scenarios of a session came to: one record a test, and the lines of the terminal summary made from them.

Fixtures put a ``Measured`` under ``item.stash[MEASURED]`` and facts about the run under ``config.stash[RUN].facts``;
the plugin makes the records. Pure but for that: every function here takes records and returns text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_rmqha import catalogue
from pytest_rmqha.errors import HarnessError, NoVerdict
from pytest_rmqha.settings import Settings
from pytest_rmqha.topology import Topology

PASSED, FAILED, UNDECIDED, HARNESS, SKIPPED = "passed", "failed", "undecided", "harness", "skipped"
WORTH_EXPLAINING = 1.0
WORST_FIRST = (FAILED, UNDECIDED, HARNESS, SKIPPED, PASSED)
IN_WORDS = {
    PASSED: "passed",
    FAILED: "FAILED",
    UNDECIDED: "NO VERDICT: undecided",
    HARNESS: "NO VERDICT: the harness failed",
    SKIPPED: "NO VERDICT: skipped by the test itself",
}


@dataclass(frozen=True)
class Measured:
    """What fixtures saw of one test. ``outage``: longest seconds that a client was not served; counts are messages.

    ``dominating``: what took the longest of that outage, as a sentence. ``play``: tests of one play saw the same messages.
    """

    outage: float | None = None
    lost: int = 0
    duplicated: int = 0
    unknown: int = 0
    dominating: str = ""
    play: str = ""


@dataclass(frozen=True)
class ScenarioRecord:
    """One test's outcome. ``verdicts`` are the lines of its checkers, ``error`` the first line of what ended it."""

    ids: tuple[str, ...]
    nodeid: str
    kind: str
    outcome: str
    seconds: float
    measured: Measured = Measured()
    verdicts: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A test that was collected and not run, and why."""

    nodeid: str
    ids: tuple[str, ...]
    reason: str


@dataclass
class Run:
    """One session: its name, its folder of results (made when something is written) and facts that fixtures add."""

    name: str
    folder: Path
    started: float
    rerun: str
    facts: dict[str, object] = field(default_factory=dict)


SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
TOPOLOGY: pytest.StashKey[Topology] = pytest.StashKey()
RUN: pytest.StashKey[Run] = pytest.StashKey()
RECORDS: pytest.StashKey[list[ScenarioRecord]] = pytest.StashKey()
LEFT_OUT: pytest.StashKey[list[LeftOut]] = pytest.StashKey()
MEASURED: pytest.StashKey[Measured] = pytest.StashKey()


def classify(error: BaseException | None) -> str:
    """The outcome that an exception means: assertions speak about the stack, everything else is ours."""
    if error is None:
        return PASSED
    if isinstance(error, NoVerdict):
        return UNDECIDED
    if isinstance(error, pytest.skip.Exception):
        return SKIPPED
    if isinstance(error, AssertionError | pytest.fail.Exception) and not isinstance(error, HarnessError):
        return FAILED
    return HARNESS


def worst(outcomes: Iterable[str]) -> str:
    return min(outcomes, key=WORST_FIRST.index, default=PASSED)


def outcome_per_id(records: Sequence[ScenarioRecord]) -> dict[str, list[ScenarioRecord]]:
    """id -> the tests that answer it, in the order of the catalogue."""
    found: dict[str, list[ScenarioRecord]] = {}
    for record in records:
        for name in record.ids:
            found.setdefault(name, []).append(record)
    return dict(sorted(found.items(), key=lambda entry: _place(entry[0])))


def _chapter(name: str) -> int:
    scenario = catalogue.CATALOGUE.get(name)
    return scenario.chapter if scenario else max(catalogue.CHAPTERS) + 1


def _place(name: str) -> tuple[int, tuple[str, int]]:
    return _chapter(name), catalogue.order(name)


def scenario_lines(records: Sequence[ScenarioRecord]) -> list[str]:
    """A line an id: its worst outcome, its worst outage, what it is."""
    lines = []
    for name, answers in outcome_per_id(records).items():
        title = catalogue.CATALOGUE[name].title if name in catalogue.CATALOGUE else answers[0].nodeid
        tests = f" in {len(answers)} tests" if len(answers) > 1 else ""
        outage = max((r.measured.outage for r in answers if r.measured.outage is not None), default=None)
        seen = f", outage {outage:.1f} s" if outage is not None else ""
        shown = " [demonstration]" if all(r.kind == catalogue.DEMONSTRATION for r in answers) else ""
        lines.append(f"{name:<4} {IN_WORDS[worst(r.outcome for r in answers)]}{tests}{seen}  {title}{shown}")
        slowest = max(answers, key=lambda r: r.measured.outage or 0.0).measured
        if outage is not None and outage >= WORTH_EXPLAINING and slowest.dominating:
            lines.append(f"       {slowest.dominating}")
        lines += [f"       {r.error}  ({r.nodeid})" for r in answers if r.error]
    return lines


def chapter_lines(records: Sequence[ScenarioRecord]) -> list[str]:
    """A line a chapter: how many of its ids passed, failed, are undecided."""
    counts: dict[int, dict[str, int]] = {}
    for name, answers in outcome_per_id(records).items():
        chapter = counts.setdefault(_chapter(name), {})
        outcome = worst(r.outcome for r in answers)
        chapter[outcome] = chapter.get(outcome, 0) + 1
    lines = []
    for number, chapter in counts.items():
        undecided = sum(chapter.get(outcome, 0) for outcome in (UNDECIDED, HARNESS, SKIPPED))
        title = f"{number} {catalogue.CHAPTERS.get(number, 'Own scenarios')}"
        lines.append(
            f"{title:<40} {chapter.get(PASSED, 0)} passed, {chapter.get(FAILED, 0)} failed, {undecided} undecided"
        )
    return lines


def total_lines(records: Sequence[ScenarioRecord]) -> list[str]:
    """Worst outage of the promises, and the messages. Demonstrations lose on purpose: they are counted apart.

    Where a promise looks at the play of a demonstration (S2 at that of S1), the play's messages are the demonstration's.
    """
    lines = []
    shown = {r.measured.play for r in records if r.kind == catalogue.DEMONSTRATION and r.measured.play}
    for kind in catalogue.KINDS:
        measured = [(r.measured, r.nodeid) for r in records if r.kind == kind]
        if not measured:
            continue
        outages = [(m.outage, nodeid) for m, nodeid in measured if m.outage is not None]
        text = f"{max(outages)[0]:.1f} s in {max(outages)[1]}" if outages else "not measured"
        others = shown if kind == catalogue.PROMISE else set()
        once = {m.play or nodeid: m for m, nodeid in measured if m.play not in others}.values()
        lost, duplicated, unknown = (sum(getattr(m, n) for m in once) for n in ("lost", "duplicated", "unknown"))
        lines.append(f"{kind}s: worst outage {text}; messages: {lost} lost, {duplicated} duplicated, {unknown} unknown")
    return lines


def left_out_lines(left_out: Sequence[LeftOut], most: int = 30) -> list[str]:
    """Grouped by reason, so that a reason is read once."""
    reasons: dict[str, list[LeftOut]] = {}
    for one in left_out:
        reasons.setdefault(one.reason, []).append(one)
    lines = []
    for reason, tests in sorted(reasons.items(), key=lambda entry: -len(entry[1])):
        names = sorted({name for test in tests for name in test.ids}, key=_place)
        listed = " ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
        lines.append(
            f"left out, {reason}: {listed} ({len(tests)} tests)" if len(tests) > 1 else f"left out, {reason}: {listed}"
        )
    return lines


def summary(
    records: Sequence[ScenarioRecord], left_out: Sequence[LeftOut], not_reached: Sequence[str], run: Run
) -> list[str]:
    """The whole section "RabbitMQ HA verdict"."""
    lines = [*scenario_lines(records), "", *chapter_lines(records), "", *total_lines(records)]
    if not_reached:
        lines.append(f"not reached, the session ended before: {' '.join(not_reached[:30])}")
    lines += left_out_lines(left_out)
    found = run.facts.get("preflight")
    lines += [f"preflight: {text}" for text in found[:20]] if isinstance(found, list) else []
    kept = run.facts.get("kept")
    lines += (
        ["kept, as --rmq-keep says; how to get in:", *(f"  {text}" for text in kept)] if isinstance(kept, list) else []
    )
    lines += [f"again: {run.rerun}", f"reports: {run.folder}"]
    return lines
