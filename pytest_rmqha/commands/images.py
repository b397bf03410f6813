"""``rmqha images``: list, build and verify the images of a line."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from pytest_rmqha import setting_values as values
from pytest_rmqha.adapters.images import default_line, ensure, missing, programs
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images.runner import runner_spec
from pytest_rmqha.images.spec import LINES, ROLES, wanted


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("images", help="list, build or verify the images")
    parser.add_argument("act", choices=("list", "build", "verify"), help="verify builds, too, and starts the programs")
    parser.add_argument("--line", default=default_line(), help=f"RabbitMQ line: {', '.join(LINES)}")
    parser.add_argument("--all-lines", action="store_true", help="every line")
    parser.add_argument("--runner", action="store_true", help="that of 'rmqha run' as well (about 300 MB)")
    parser.add_argument("--registry", default=os.environ.get("RMQ_REGISTRY"), help="registry and path to pull from")
    for role in ROLES:
        parser.add_argument(
            f"--{role}-image",
            default=os.environ.get("RMQ_IMAGE" if role == "broker" else f"RMQ_{role.upper()}_IMAGE"),
            metavar="IMAGE",
            help="taken as it is instead of ours",
        )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    registry = _read(values.registry, "--registry", arguments.registry)
    given = {role: _read(values.image, f"--{role}-image", getattr(arguments, f"{role}_image")) for role in ROLES}
    overrides = {role: image for role, image in given.items() if image}
    for line in LINES if arguments.all_lines else (arguments.line,):
        specs = (*wanted(line, overrides), *((runner_spec(),) if arguments.runner else ()))
        if arguments.act == "list":
            absent = {spec.role for spec in missing(specs)}
            for spec in specs:
                print(f"{line:<5} {spec.role:<10} {'missing' if spec.role in absent else 'here':<8} {spec.tag}")
            continue
        began = time.monotonic()
        ensure(specs, registry=registry, say=lambda text: print(f"images: {text}", flush=True))
        if arguments.act == "verify":
            for role, said in programs(specs).items():
                print(f"images: {line} {role}: {said}", flush=True)
        print(f"images: line {line} ready after {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _read(reader: Callable[[str, Path], str | None], option: str, text: str | None) -> str | None:
    """As pytest reads the option of the same meaning."""
    try:
        return reader((text or "").strip(), Path.cwd())
    except values.BadValue as bad:
        raise UserInputError(option, text, bad.allowed, bad.remedy) from None
