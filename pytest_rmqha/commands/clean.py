"""``rmqha clean``: removes what dead runs left; with ``--run`` or ``--all`` also runs that are alive or were kept."""

from __future__ import annotations

import argparse

from pytest_rmqha.adapters import leftovers, reachable
from pytest_rmqha.errors import UserInputError


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("clean", help="remove what dead runs left on the engine")
    parser.add_argument("--run", dest="name", help="this run, whatever its owner does")
    parser.add_argument("--all", action="store_true", help="every run of ours, the ones that are alive too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """1 if something that was to go is still there."""
    reachable.client(reachable.PATIENCE)
    there = leftovers.found()
    if arguments.name is not None and arguments.name not in [left.name for left in there]:
        raise UserInputError(
            "--run",
            arguments.name,
            ", ".join(left.name for left in there) or "a run with something on the engine; there is none",
            "name one of these, or leave --run out for what dead runs left",
        )
    removed, whole = 0, True
    for left in there:
        is_dead = not left.alive and not left.kept
        if arguments.all or left.name == arguments.name or (arguments.name is None and is_dead):
            whole = leftovers.remove(left, print) and whole
            removed += 1
        else:
            why = "it was kept" if left.kept else "its owner lives" if left.alive else "not asked for"
            print(f"left alone: run {left.name} ({len(left.things)} things, {why})")
    print(f"removed {removed} {'run' if removed == 1 else 'runs'}")
    return 0 if whole else 1
