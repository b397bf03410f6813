"""``rmqha run``: pytest in a container on the run's network, for engines whose containers this machine can't reach."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest_rmqha
from pytest_rmqha.adapters import leftovers, reachable
from pytest_rmqha.adapters.images import ensure, missing
from pytest_rmqha.adapters.runner import HARD, Job, Runner, socket_of
from pytest_rmqha.images.runner import own_description, runner_spec
from pytest_rmqha.parcel import pack
from pytest_rmqha.reports_place import refuse_unwritable

OWN, SITE = "/opt/rmqha/own", "/opt/rmqha/site"
CALL = 60.0
"""Seconds for one call to the engine."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "run",
        help="pytest in a container, where the containers of a run can't be reached from here",
        description="Runs pytest beside the stack, on Docker Desktop and remote engines. Paths mean the same there as here; "
        "the project's folder and what arguments name is copied in, the reports are copied out.",
    )
    parser.add_argument(
        "--engine-socket",
        metavar="PATH",
        help="the engine's own socket as the engine sees it (default: the one that is asked, or /var/run/docker.sock)",
    )
    parser.add_argument("--registry", default=os.environ.get("RMQ_REGISTRY"), help="where the image's base comes from")
    parser.add_argument("pytest_arguments", nargs=argparse.REMAINDER, metavar="[--] PYTEST-ARGUMENTS")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """pytest's exit code; 128 and the signal's number where one came too early or twice."""
    words = list(arguments.pytest_arguments)
    if words[:1] == ["--"]:
        del words[0]
    here = Path.cwd()
    parcel = pack(words, os.environ, here)
    refuse_unwritable(parcel.reports)
    client = reachable.client(CALL)
    socket = arguments.engine_socket or socket_of(client.info(), reachable.where())
    leftovers.sweep(_say)
    spec = runner_spec()
    if missing([spec]):
        ensure([spec], registry=arguments.registry, say=_say)
    package = Path(pytest_rmqha.__file__).parent.parent
    size = shutil.get_terminal_size()
    job = Job(
        name=f"rmqha-runner-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        image=spec.tag,
        arguments=words,
        start=parcel.start,
        files=parcel.files,
        more=own_description(OWN),
        outputs=parcel.outputs,
        environment={**parcel.environment, "PYTHONPATH": f"{package}:{OWN}:{SITE}"},
        socket=socket,
        size=(size.columns, size.lines) if sys.stdout.isatty() else None,
    )
    try:
        return Runner(client, job, _say, _to(1), _to(2)).run()
    except KeyboardInterrupt as interrupt:
        name = str(interrupt)
        return HARD + (signal.Signals[name] if name in signal.Signals.__members__ else signal.SIGINT)


def _say(text: str) -> None:
    print(f"rmqha: {text}", file=sys.stderr, flush=True)


def _to(fd: int) -> Callable[[bytes], None]:
    def write(piece: bytes) -> None:
        while piece:
            piece = piece[os.write(fd, piece) :]

    return write
