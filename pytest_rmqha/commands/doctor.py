"""``rmqha doctor``: what a run needs of this machine, a line each, with what to do about what is missing."""

from __future__ import annotations

import argparse

from pytest_rmqha.adapters.doctor import CHECKS
from pytest_rmqha.adapters.doctor import run as look

WORDS = {True: "ok", False: "MISSING", None: "unknown"}


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("doctor", help="check what a run needs of this machine")
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    """1 if something is missing; what could not be looked at is said and is no reason."""
    good = True
    for check in CHECKS:
        found, seen = look(check)
        good = good and found is not False
        print(f"{WORDS[found]:<8}{check.name}: {seen}" + ("" if found is not False else f". To do: {check.remedy}"))
    return 0 if good else 1
