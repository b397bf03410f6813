"""``rmqha doctor``: what a run needs of this machine, a line each, with what to do about what is missing."""

from __future__ import annotations

import argparse

from pytest_rmqha.adapters.doctor import CHECKS


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("doctor", help="check what a run needs of this machine")
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    good = True
    for name, look, remedy in CHECKS:
        ok, seen = look()
        good = good and ok
        print(f"{'ok     ' if ok else 'MISSING'} {name}: {seen}" + ("" if ok else f". To do: {remedy}"))
    return 0 if good else 1
