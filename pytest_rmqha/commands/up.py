"""``rmqha up``: a stack for looking at, left standing; ``rmqha down RUN`` takes it away again."""

from __future__ import annotations

import argparse
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from pytest_rmqha import readiness
from pytest_rmqha.adapters import keeping, leftovers
from pytest_rmqha.adapters.compose import read_config
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.opening import checked, make_stack
from pytest_rmqha.settings import KNOBS, Knob, resolve
from pytest_rmqha.sigterm import CleanStop
from pytest_rmqha.topology_reader import from_compose

TAKEN = ("topology", "version", "image", "balancer_image", "client_image", "toxiproxy_image", "config", "reports")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    up = subparsers.add_parser("up", help="bring a stack up, say how to get in, and leave it standing")
    for knob in KNOBS:
        if knob.name in TAKEN:
            up.add_argument("--" + knob.name.replace("_", "-"), metavar=knob.metavar, help=knob.help)
    up.set_defaults(run=run_up)
    down = subparsers.add_parser("down", help="take down a stack that was kept")
    down.add_argument("name", metavar="RUN", help="the name that up, or the run that kept it, has printed")
    down.set_defaults(run=run_down)


def run_up(arguments: argparse.Namespace) -> int:
    """0 when the stack is in steady state and kept; anything that was made is removed when it does not get there.

    An interrupt or SIGTERM counts as that. Own files are first shown to the programs' own checkers, as a run does.
    """

    def option(knob: Knob) -> str | None:
        value = getattr(arguments, knob.name, None)
        return None if value is None else str(value)

    settings = resolve(option, os.environ, lambda _: None, here=Path.cwd(), beside_ini=Path.cwd())
    topology = from_compose(read_config(settings.topology_file, {}), settings.topology_name)
    readiness.refuse_files(settings, topology)
    readiness.refuse_machine(settings, topology)
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    stack = make_stack(settings, topology, name, settings.reports / name, print)
    began = time.monotonic()
    print(f"bringing up {settings.topology_name} with RabbitMQ {settings.version} as run {name}", flush=True)
    stop = CleanStop()
    stop.install()
    stop.defers = True
    try:
        for finding in checked(stack, settings):
            print(f"preflight: {finding}", flush=True)
        stack.up()
        stop.check()
        lines = keeping.keep(stack)
    except BaseException:
        stack.down()
        raise
    finally:
        stop.restore()
    print(f"steady after {time.monotonic() - began:.0f} s", *lines, sep="\n")
    return 0


def run_down(arguments: argparse.Namespace) -> int:
    """0 when nothing of the run is left."""
    runs = {run.name: run for run in leftovers.found()}
    if arguments.name not in runs:
        raise UserInputError(
            "run", arguments.name, ", ".join(runs) or "none: no run of ours is on this engine", "name one of these"
        )
    return 0 if leftovers.remove(runs[arguments.name], print) else 1
