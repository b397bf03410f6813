"""``rmqha report merge``: the manifests of shards and resumed runs as one, with the verdict of the whole."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_rmqha import manifest
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.merged import ASKED_BY, merge
from pytest_rmqha.run_folder import MANIFEST, folder_of
from pytest_rmqha.runs import left_out_of, manifest_of, records_of
from pytest_rmqha.session_report import Run, summary


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("report", help="reports made of runs that are over")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    merging = acts.add_parser("merge", help="one manifest of several runs; exit code 1 if the whole is not green")
    merging.add_argument("runs", nargs="+", metavar="RUN", help="a run's name in the reports folder, or its folder")
    merging.add_argument("--into", required=True, metavar="DIR", type=Path, help="a new or empty folder for the result")
    merging.add_argument("--reports", default="reports", metavar="DIR", type=Path, help="where runs named by name are")
    merging.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the merged manifest with its checksums and print the verdict. Allure takes several result folders itself."""
    into: Path = arguments.into
    if into.is_file() or (into / MANIFEST).exists():
        raise UserInputError(f"{ASKED_BY} --into", str(into), "a new or empty folder", "name another one")
    folders = [folder_of(name, arguments.reports) for name in arguments.runs]
    whole = merge([manifest_of(folder, asked_by=ASKED_BY) for folder in folders], into.resolve().name)
    manifest.write(into, whole)
    done = Run(whole["run"], into, 0.0, whole["again"])
    for line in summary(records_of(whole), left_out_of(whole), [], done):
        print(line)
    for sentence in whole["lacking"]:
        print(f"LACKING: {sentence}")
    print(f"merged: {len(whole['merged'])} runs, {'green' if whole['exit_status'] == 0 else 'RED'}")
    return int(whole["exit_status"])
