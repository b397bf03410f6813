"""What one unattended run came to, as a line of reports/soak.jsonl, and what many of them come to."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pytest_rmqha import runs
from pytest_rmqha.session_report import PASSED, outcome_per_id, worst

LONGEST_ERROR = 300


@dataclass(frozen=True)
class SoakRun:
    """``outcomes``: id -> its worst outcome; ``errors``: id -> the first line of what made it red.

    ``cut_short``: the time limit or an interrupt ended it, so that it is neither green nor red. ``folder``: its evidence.
    """

    number: int
    began: str
    commit: str
    dirty: bool
    seed: int
    profile: str
    exit_status: int
    seconds: float
    folder: str
    cut_short: bool = False
    outcomes: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def is_red(self) -> bool:
        return self.exit_status != 0 and not self.cut_short

    @property
    def told(self) -> str:
        """One line for the terminal."""
        ended = "cut short" if self.cut_short else "RED" if self.is_red else "green"
        red = [name for name, outcome in self.outcomes.items() if outcome != PASSED]
        shown = f": {' '.join(red)}" if red else f": {self.error}" if self.is_red else ""
        return f"run {self.number} {ended} after {self.seconds:.0f} s, seed {self.seed}{shown}"


def outcomes_of(manifest: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """(id -> outcome, id -> first line of its error) of a run's manifest."""
    answers = outcome_per_id(runs.records_of(manifest))
    outcomes = {name: worst(record.outcome for record in records) for name, records in answers.items()}
    errors = {name: next((r.error for r in records if r.error), "") for name, records in answers.items()}
    return outcomes, {name: error[:LONGEST_ERROR] for name, error in errors.items() if error}


def last_words(output: str) -> str:
    """Of a run that left no manifest: pytest's last line of an error, or its last line at all."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("E ", "ERROR", "INTERNALERROR>"))]
    return (told or lines or ["it said nothing"])[-1][:LONGEST_ERROR]


def next_number(folder: Path) -> int:
    """One more than the highest numbered folder; 1 where there is none. What is there is never written over."""
    return 1 + max((int(place.name) for place in folder.glob("*") if place.name.isdigit()), default=0)


def append(file: Path, run: SoakRun) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(run), ensure_ascii=False) + "\n")


def summary(found: Sequence[SoakRun]) -> list[str]:
    """Runs, reds, and for each scenario that was ever red: how often, in which runs, and its first error line."""
    whole = [run for run in found if not run.cut_short]
    red = [run for run in whole if run.is_red]
    cut = f", {len(found) - len(whole)} cut short" if len(whole) < len(found) else ""
    lines = [f"soak: {len(found)} runs, {len(whole) - len(red)} green, {len(red)} red{cut}"]
    if whole:
        took = [run.seconds for run in whole]
        lines.append(f"soak: {statistics.median(took):.0f} s a run ({min(took):.0f} to {max(took):.0f})")
    commits = dict.fromkeys(f"{run.commit}{' and what is not committed' if run.dirty else ''}" for run in found)
    if len(commits) > 1:
        lines.append(f"soak: not one state of the project: {', '.join(commits)}")
    reds: dict[str, list[SoakRun]] = {}
    for run in whole:
        for name, outcome in run.outcomes.items():
            if outcome != PASSED:
                reds.setdefault(name, []).append(run)
    for name, where in sorted(reds.items(), key=lambda entry: -len(entry[1])):
        outcomes = ", ".join(dict.fromkeys(run.outcomes[name] for run in where))
        answered = sum(name in run.outcomes for run in whole)
        numbers = " ".join(str(run.number) for run in where)
        lines.append(f"{name:<4} {outcomes} in {len(where)} of {answered} (runs {numbers})")
        lines.append(f"       {next((run.errors[name] for run in where if name in run.errors), 'no error was told')}")
    lines += [
        f"run {run.number} red without a red scenario: exit status {run.exit_status}, {run.error or 'nothing told'}"
        for run in red
        if all(outcome == PASSED for outcome in run.outcomes.values())
    ]
    return lines
