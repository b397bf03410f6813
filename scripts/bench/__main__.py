"""``python -m scripts.bench [bring-up] [rates] [ledger] [share]``: measures what is named, all by default.

The stack is the one that the environment asks for (``RMQ_VERSION``, ``RMQ_TOPOLOGY``, ...). The table is printed and
written to ``reports/bench.json``. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pytest_rmqha import runs
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.settings import Settings, resolve
from scripts.bench import bring_up, ledger, rates, share
from scripts.bench.row import AT_MOST, Row, table, write

PARTS = ("bring-up", "rates", "ledger", "share")
ROOT = Path(__file__).resolve().parents[2]


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)


def refuse_reuse(settings: Settings) -> None:
    """A kept stack is somebody's: what is measured here is brought up and taken down."""
    if settings.reuse:
        remedy = "unset RMQ_REUSE"
        raise UserInputError("environment RMQ_REUSE", settings.reuse, "nothing: the bench makes its own stacks", remedy)


def newest_run(reports: Path) -> Path | None:
    """The last run that ended and has a timeline: of a plan, or of planted tests, there is none to tell."""
    for manifest in runs.newest_first(reports):
        folder = reports / str(manifest["run"])
        if (folder / "timeline.jsonl").is_file() and not manifest.get("unfinished"):
            return folder
    return None


def of_share(folder: Path | None) -> list[Row]:
    if folder is None:
        say("no share: there is no run in the reports folder; make verify makes one, --run names another")
        return []
    found = share.of_run(folder)
    print("\n".join(found.lines()), flush=True)
    detail = {label: f"{took:.1f} s" for label, took in sorted(found.ours.items(), key=lambda part: -part[1])}
    return [Row(f"our share of run {folder.name}", found.percent, "%", AT_MOST, share.MOST, detail)]


def measured(parts: list[str], settings: Settings, run: Path | None, rounds: int, plan: rates.Plan) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        if "bring-up" in parts:
            rows += bring_up.measure(settings, Path(place), rounds, say)
        if "rates" in parts:
            with bring_up.standing(settings, Path(place)) as (stack, _):
                say("rates: the load client and a plain script take turns")
                rows += rates.measure(stack, plan, settings.version)
    if "ledger" in parts:
        say("ledger: ten million messages (about two minutes)")
        rows += ledger.measure()
    if "share" in parts:
        rows += of_share(run or newest_run(settings.reports))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="What the harness costs, against doing without it.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them when none is named")
    parser.add_argument(
        "--rounds", type=int, default=3, help="bring-ups are measured so often, rates three times that (3)"
    )
    parser.add_argument("--seconds", type=float, default=rates.Plan.length, help="of load for each rate (6)")
    parser.add_argument("--window", type=int, default=1000, help="unconfirmed messages (1000)")
    parser.add_argument("--run", type=Path, help="the folder of the run whose share is told (the newest)")
    asked = parser.parse_args()
    if unknown := [part for part in asked.parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    try:
        settings = resolve(lambda _: None, os.environ, lambda _: None, here=ROOT, beside_ini=ROOT)
        refuse_reuse(settings)
        plan = rates.Plan(3 * asked.rounds, asked.seconds, asked.window)
        parts = asked.parts or list(PARTS)
        rows = measured(parts, settings, asked.run, asked.rounds, plan)
    except UserInputError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 4
    print(table(rows))
    facts = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": _commit(), "line": settings.version}
    facts["parts"] = " ".join(parts)
    write(settings.reports / "bench.json", rows, facts)
    say(f"written to {settings.reports / 'bench.json'}")
    return 0 if rows and all(row.kept for row in rows) else 1


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
