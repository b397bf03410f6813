"""What one run of the gate said of one change, read from its manifest. Pure but for reading that file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CAUGHT, OTHERWISE, NO_VERDICT, MISSED = "caught", "red for another reason", "no verdict", "missed"
REFUSED, GREEN, FALSE_ALARM = "refused by the preflight", "green", "FALSE ALARM"
PASSED, FAILED = "passed", "failed"
LONGEST = 400
_BUDGET = re.compile(r"budget\s+([\d.]+ ?(?:s|%)?)|of ([\d.]+ s)\b|, (all|1|\d+) (?:are|is) needed")
_VALUE = re.compile(r"(\d+(?:\.\d+)? ?(?:s|%)?)\b")


@dataclass(frozen=True)
class Result:
    """``line``: the red line that counts, ``id`` the scenario that it is of. ``value`` and ``budget`` as it states them.

    ``preflight``: whether the preflight named one of the changed files; None if this project has no preflight to ask.
    """

    change: str
    outcome: str
    id: str = ""
    measure: str = ""
    value: str = ""
    budget: str = ""
    line: str = ""
    preflight: bool | None = None
    preflight_said: str = ""
    seconds: float = 0.0
    ran: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def red_lines(scenario: Mapping[str, Any]) -> list[str]:
    """The broken verdicts of one test, else what ended it; lines that held are none."""
    broken = [line for line in scenario["verdicts"] if line.startswith("BROKEN")]
    if scenario["error"] and not broken:
        broken.append(str(scenario["error"]))
    return broken


def of_mutant(change: str, because: str, manifest: Mapping[str, Any] | None, said: str) -> Result:
    """Caught only if a test *failed* with a line that matches; a harness error is no verdict, whatever it names.

    ``manifest`` None: the session ended before anything ran, and ``said`` is the last that it printed.
    """
    if manifest is None:
        return _not_run(change, said)
    scenarios: Sequence[Mapping[str, Any]] = manifest["scenarios"]
    ran = tuple(dict.fromkeys(name for s in scenarios for name in s["ids"]))
    red = [(s, line) for s in scenarios if s["outcome"] == FAILED for line in red_lines(s)]
    right = [(s, line) for s, line in red if re.search(because, line.partition("; see ")[0])]
    unsure = [(s, str(s["error"])) for s in scenarios if s["outcome"] not in (PASSED, FAILED)]
    for outcome, found in ((CAUGHT, right), (OTHERWISE, red), (NO_VERDICT, unsure)):
        if found:
            scenario, line = found[0]
            return Result(change, outcome, scenario["ids"][0], *told(line), line[:LONGEST], ran=ran)
    cut_off = manifest.get("unfinished") or manifest.get("not_reached")
    return Result(
        change, NO_VERDICT if cut_off or not ran else MISSED, line=said.strip()[-LONGEST:] if cut_off else "", ran=ran
    )


def of_harmless(change: str, manifest: Mapping[str, Any] | None, said: str, asked: Iterable[str] = ()) -> Result:
    """Green only if every scenario that was asked for ran and passed; anything else is a false alarm, harness errors included."""
    seen = of_mutant(change, ".", manifest, said)
    if seen.outcome == MISSED and (lacking := [name for name in asked if name not in seen.ran]):
        seen = Result(change, NO_VERDICT, line=f"did not run: {' '.join(lacking)}", ran=seen.ran)
    return Result(**{**seen.as_dict(), "outcome": GREEN if seen.outcome == MISSED else FALSE_ALARM})


def _not_run(change: str, said: str) -> Result:
    last = [line for line in said.splitlines() if line.startswith(("ERROR", "Exit:", "!", "E ")) or "expected" in line]
    line = " ".join(last[:3])[:LONGEST] or said.strip()[-LONGEST:]
    refused = "before anything was started" in said
    return Result(
        change, REFUSED if refused else NO_VERDICT, measure="configuration refused" if refused else "", line=line
    )


def told(line: str) -> tuple[str, str, str]:
    """(measure, value, budget) of a red line, as far as it states them."""
    head, _, rest = line.partition(": ")
    measure = head.removeprefix("BROKEN ")
    facts = rest.partition("; see ")[0]
    limit = _BUDGET.search(facts)
    value = _VALUE.search(facts)
    return measure, value[1] if value else "", next((g for g in limit.groups() if g), "") if limit else ""


def manifest_in(reports: Path) -> Mapping[str, Any] | None:
    """The manifest of the one run in a reports folder."""
    found = sorted(reports.glob("*/manifest.json"))
    return json.loads(found[-1].read_text(encoding="utf-8")) if found else None
