"""``rmqha images``: list, build and verify the images of a line."""

from __future__ import annotations

import argparse
import os
import time

from pytest_rmqha.adapters.images import ensure, programs
from pytest_rmqha.images.spec import LINES, wanted


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("images", help="list, build or verify the images")
    parser.add_argument("act", choices=("list", "build", "verify"))
    parser.add_argument("--line", default="3.10", help=f"RabbitMQ line: {', '.join(LINES)}")
    parser.add_argument("--all-lines", action="store_true", help="every line")
    parser.add_argument("--registry", default=os.environ.get("RMQ_REGISTRY"), help="registry and path to pull from")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    for line in LINES if arguments.all_lines else (arguments.line,):
        specs = wanted(line, {})
        if arguments.act == "list":
            for spec in specs:
                print(f"{line:<5} {spec.role:<10} {spec.tag}")
            continue
        began = time.monotonic()
        ensure(specs, registry=arguments.registry or None, say=lambda text: print(f"images: {text}", flush=True))
        if arguments.act == "verify":
            for role, said in programs(specs).items():
                print(f"images: {line} {role}: {said}")
        print(f"images: line {line} ready after {time.monotonic() - began:.0f} s", flush=True)
    return 0
