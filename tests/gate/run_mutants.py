"""Runs the gate on mutants and harmless changes: ``python -m tests.gate.run_mutants [ID ...] [--harmless] [--whole] [--list]``.

One change after the other, each on a stack of its own; results are kept in docs/gate-results.json as they come, so that a
bench that is stopped has lost nothing, and the table of docs/gate.md is written anew from them. Nothing here judges a
stack: the gate does, in a process of its own, exactly as a user runs it. The control, the reference untouched, is run
before the first change of a bench unless a green result of it is kept; if it is not green the bench ends there.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.gate import judging, table
from tests.gate.harmless import CONTROL, HARMLESS
from tests.gate.judging import Result
from tests.gate.mutant import REFERENCE, Harmless, Mutant
from tests.gate.mutants import MUTANTS
from tests.gate.scenarios import answered_by, expression

ROOT = Path(__file__).resolve().parents[2]
RESULTS, PAGE = ROOT / "docs" / "gate-results.json", ROOT / "docs" / "gate.md"
LIMIT, CHECK_LIMIT = 1500, 180
"""Seconds: a whole gate is at most 720, a subset that hangs must not stop the bench."""
GOOD = (judging.CAUGHT, judging.REFUSED, judging.GREEN)
Change = Mutant | Harmless


def run(change: Change, *, whole: bool, budget_scale: str) -> Result:
    """The gate on one change. What the runs leave is in a temporary folder that is gone afterwards."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rmqha-gate-") as place:
        folder, reports = change.write(Path(place) / "config"), Path(place) / "reports"
        seen, said = preflight(folder, change)
        command = [
            sys.executable, "-m", "pytest", "suites/", "--rmq-topology=3node", f"--rmq-config={folder}",
            f"--rmq-reports={reports}", f"--rmq-budget-scale={budget_scale}", "--rmq-dump=never", "-q", "--tb=line",
            "-p", "no:cacheprovider", "--rmq-version=3.10", "--rmq-profile=gate",
        ]  # fmt: skip
        if not whole:
            command += ["-k", expression(change.scenarios, answered_by())]
        try:
            nobodys = {name: value for name, value in os.environ.items() if not name.startswith("RMQ_")}
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, env=nobodys)
            output = done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            output = f"ERROR: the gate did not end within {LIMIT} s"
        manifest = judging.manifest_in(reports)
    if isinstance(change, Mutant):
        result = judging.of_mutant(change.id, change.because, manifest, output)
    else:
        result = judging.of_harmless(change.id, manifest, output, change.scenarios)
    line = result.line.replace(f"{folder}/", "")
    return replace(result, line=line, preflight=seen, preflight_said=said, seconds=round(time.monotonic() - began, 1))


def preflight(folder: Path, change: Change) -> tuple[bool | None, str]:
    """(whether it says more of this folder than of the reference, its first such line); None if there is no such command."""
    lines = {name: _findings(place) for name, place in (("mutant", folder), ("reference", REFERENCE))}
    mutant, reference = lines["mutant"], lines["reference"]
    if mutant is None or reference is None:
        return None, ""
    known = {line.replace(str(REFERENCE), "") for line in reference}
    new = [said for line in mutant if (said := line.replace(str(folder), "")) not in known]
    return bool(new), new[0][: judging.LONGEST] if new else ""


@functools.cache
def _findings(folder: Path) -> list[str] | None:
    command = [sys.executable, "-m", "pytest_rmqha.cli", "config", "check", str(folder)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=CHECK_LIMIT)
    except subprocess.TimeoutExpired:
        return None
    if "invalid choice" in done.stderr or "unrecognized arguments" in done.stderr:
        return None
    return [
        line.strip()
        for line in (done.stdout + done.stderr).splitlines()
        if ": warning: " in line or ": error: " in line
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="run_mutants", description="the gate against known faults and harmless changes"
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="mutants or harmless changes by id; none: every mutant")
    parser.add_argument("--harmless", action="store_true", help="every harmless change, too (alone with no ids)")
    parser.add_argument(
        "--whole", action="store_true", help="the whole gate on each, not only what looks at the change"
    )
    parser.add_argument("--missing", action="store_true", help="only those without a result yet; the control first")
    parser.add_argument("--budget-scale", default="1", help="as --rmq-budget-scale, for a busy machine")
    parser.add_argument("--list", action="store_true", help="ids and what they change, without running anything")
    parser.add_argument("--table", action="store_true", help="write docs/gate.md from the results that are there")
    asked = parser.parse_args(arguments)
    every: tuple[Change, ...] = (*MUTANTS, *HARMLESS)
    known = {change.id: change for change in every}
    if unknown := [name for name in asked.ids if name not in known]:
        parser.error(f"no change is called {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[name] for name in asked.ids] or list(HARMLESS if asked.harmless else MUTANTS)
    if asked.list:
        for change in chosen:
            say(f"{change.id:<16} {' '.join(change.scenarios):<24} {_what(change)}")
        return 0
    results = read_results()
    if asked.missing:
        chosen = [change for change in chosen if change.id not in results]
    if not asked.table:
        chosen = with_control(chosen, results)
    for change in [] if asked.table else chosen:
        result = run(change, whole=asked.whole, budget_scale=asked.budget_scale)
        results[change.id] = result
        RESULTS.write_text(
            json.dumps({n: r.as_dict() for n, r in results.items()}, indent=1, ensure_ascii=False) + "\n"
        )
        say(f"bench: {change.id:<16} {result.outcome:<24} {result.seconds:>6.1f} s  {result.line[:160]}")
        if change.id == CONTROL.id and result.outcome != judging.GREEN:
            table.write(PAGE, results)
            say("bench: the untouched reference is not green, so nothing that this bench would say can be trusted")
            return 1
    table.write(PAGE, results)
    done = [change for change in chosen if change.id in results]
    bad = [change.id for change in done if not _as_it_should_be(change, results[change.id])]
    say(f"bench: {len(done)} of {len(chosen)} have a result; not as they should be: {', '.join(bad) or 'none'}")
    return 1 if bad or len(done) < len(chosen) else 0


def with_control(chosen: Sequence[Change], results: Mapping[str, Result]) -> list[Change]:
    """The control first, where it is asked for or where no kept result is green for everything that mutants ask today."""
    kept = results.get(CONTROL.id)
    is_known = kept is not None and kept.outcome == judging.GREEN and set(CONTROL.scenarios) <= set(kept.ran)
    others = [change for change in chosen if change.id != CONTROL.id]
    return others if is_known and len(others) == len(chosen) else [CONTROL, *others]


def _as_it_should_be(change: Change, result: Result) -> bool:
    """A mutant whose text says why it is missed may be missed, and nothing else."""
    excused = isinstance(change, Mutant) and bool(change.missed) and result.outcome == judging.MISSED
    return result.outcome in GOOD or excused


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read_results() -> dict[str, Result]:
    if not RESULTS.is_file():
        return {}
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {name: Result(**{**row, "ran": tuple(row["ran"])}) for name, row in kept.items()}


def _what(change: Change) -> str:
    return change.bad if isinstance(change, Mutant) else change.what


if __name__ == "__main__":
    sys.exit(main())
