"""``python -m scripts.soak --runs N``: the suites again and again, unattended, each run with a seed and a folder of its own.

Only the number of runs and the time limit end it: a red run does not. Each run keeps its evidence in
``reports/soak/<number>/`` and is one line of ``reports/soak.jsonl``. Exit code 1 when a run was red, or none was whole.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pytest_rmqha.settings import PROFILES
from scripts.soak_record import SoakRun, append, last_words, next_number, outcomes_of, summary

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 4 * 3600.0
TEARDOWN = 180.0


class Interrupted(Exception):
    """Somebody wants the soak to end: after the teardown of the run that goes on."""


def command(suites: str, profile: str, seed: int, folder: Path) -> list[str]:
    """One run; what else it needs comes from the environment (RMQ_TOPOLOGY, RMQ_VERSION, ...)."""
    pytest = [sys.executable, "-m", "pytest", suites, f"--rmq-profile={profile}", f"--rmq-seed={seed}"]
    return [*pytest, f"--rmq-reports={folder}", f"--junitxml={folder / 'junit.xml'}"]


def state_of_the_project() -> tuple[str, bool]:
    """(commit, whether tracked files differ from it)"""
    asked = [["git", "rev-parse", "--short=12", "HEAD"], ["git", "status", "--porcelain", "--untracked-files=no"]]
    commit, changed = (subprocess.run(c, cwd=ROOT, capture_output=True, text=True).stdout.strip() for c in asked)
    return commit or "no commit", bool(changed)


@contextmanager
def interrupts() -> Iterator[None]:
    """SIGINT and SIGTERM raise Interrupted here; the run is in a session of its own and is told once, by us."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_for(arguments: list[str], output: Path, longest: float) -> tuple[int, bool, bool]:
    """(exit status, whether it was cut short, whether the soak is to end). A run that is cut short tears its stack down."""
    wanted_end = False
    with output.open("wb") as log:
        running = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            return running.wait(timeout=longest), False, False
        except subprocess.TimeoutExpired:
            pass
        except Interrupted:
            wanted_end = True
        running.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired, Interrupted):
            return running.wait(timeout=TEARDOWN), True, wanted_end
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        return running.wait(), True, True


def one_run(number: int, suites: str, profile: str, folder: Path, left: float) -> tuple[SoakRun, bool]:
    """The line of one run, and whether the soak is to end."""
    folder.mkdir(parents=True)
    seed = random.SystemRandom().randrange(1, 2**31)
    commit, dirty = state_of_the_project()
    began, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    longest = min(left, LONGEST)
    status, cut_short, wanted_end = run_for(command(suites, profile, seed, folder), folder / "output.txt", longest)
    manifests = sorted(folder.glob("*/manifest.json"))
    outcomes, errors = outcomes_of(json.loads(manifests[-1].read_text(encoding="utf-8"))) if manifests else ({}, {})
    error = last_words((folder / "output.txt").read_text(encoding="utf-8", errors="replace")) if status else ""
    hung = cut_short and not wanted_end and longest == LONGEST
    run = SoakRun(
        number,
        at,
        commit,
        dirty,
        seed,
        profile,
        status,
        round(time.monotonic() - began, 1),
        str(folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder),
        cut_short and not hung,
        outcomes,
        errors,
        f"no end after {LONGEST:.0f} s" if hung else error,
    )
    return run, wanted_end


def soak(runs: int, suites: str, profile: str, minutes: float | None, reports: Path) -> list[SoakRun]:
    """Every run that was begun. With ``minutes`` none is begun later than that, and the last is cut short then."""
    ends = time.monotonic() + minutes * 60 if minutes is not None else float("inf")
    found: list[SoakRun] = []
    with interrupts(), contextlib.suppress(Interrupted):
        for _ in range(runs):
            left = ends - time.monotonic()
            if left <= 0:
                print(f"soak: the time limit of {minutes:g} minutes is over", flush=True)
                break
            number = next_number(reports / "soak")
            run, wanted_end = one_run(number, suites, profile, reports / "soak" / str(number), left)
            append(reports / "soak.jsonl", run)
            found.append(run)
            print(f"soak: {run.told}", flush=True)
            if wanted_end:
                break
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description="The suites again and again; a red run does not end it.")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="how many (10)")
    parser.add_argument("--profile", choices=PROFILES, default="gate", help="how much each runs (gate)")
    parser.add_argument("--minutes", type=float, help="none is begun later, and the last is cut short then")
    parser.add_argument("--suites", default="suites/", help="what to run (suites/)")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="where soak/ and soak.jsonl are")
    asked = parser.parse_args()
    if asked.runs < 1:
        parser.error("--runs: at least 1")
    found = soak(asked.runs, asked.suites, asked.profile, asked.minutes, asked.reports.resolve())
    print("\n".join(summary(found)))
    whole = [run for run in found if not run.cut_short]
    return 0 if whole and not any(run.is_red for run in whole) else 1


if __name__ == "__main__":
    sys.exit(main())
