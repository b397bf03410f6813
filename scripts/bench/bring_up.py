"""Our bring-up against the same stack brought up by hand, to the same steady state. They take turns; medians are compared.

Ours is everything from the settings to steady: reading the compose file, looking for images, sweeping what dead runs
left, the load client attached and the watchers started, which a bare stack has no use for.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pytest_rmqha.adapters.compose import read_config
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.opening import make_stack, stand_up
from pytest_rmqha.settings import Settings
from pytest_rmqha.topology_reader import from_compose
from scripts.bench.bare_stack import BareStack
from scripts.bench.row import AT_MOST, Row

MOST = 1.1


def new_stack(settings: Settings, reports: Path) -> Stack:
    """A run of its own, not yet up."""
    topology = from_compose(read_config(settings.topology_file, {}), settings.topology_name)
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return make_stack(settings, topology, name, reports / name)


@contextmanager
def standing(settings: Settings, reports: Path) -> Iterator[tuple[Stack, float]]:
    """A stack of ours in steady state, and the seconds that it took; gone at the end of the block."""
    began = time.monotonic()
    stack = new_stack(settings, reports)
    try:
        stand_up(stack, settings)
        yield stack, time.monotonic() - began
    finally:
        stack.down()


@contextmanager
def standing_bare(settings: Settings, reports: Path) -> Iterator[tuple[BareStack, float]]:
    """The same by hand."""
    bare = BareStack(new_stack(settings, reports))
    try:
        yield bare, bare.up()
    finally:
        bare.down()


def measure(settings: Settings, reports: Path, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """One row, with where the time went on both sides (medians as well)."""
    ours: list[float] = []
    bare: list[float] = []
    parts: dict[str, list[str]] = {}
    for number in range(rounds):
        with standing(settings, reports) as (stack, took):
            ours.append(took)
            mine = dict(stack.took)
        with standing_bare(settings, reports) as (by_hand, took):
            bare.append(took)
            theirs = dict(by_hand.took)
        for label in mine:
            parts.setdefault(label, []).append(f"{mine[label]:.1f}/{theirs.get(label, 0):.1f}")
        say(f"bring-up {number + 1} of {rounds}: ours {ours[-1]:.1f} s, by hand {bare[-1]:.1f} s")
    return [row(ours, bare, parts)]


def row(ours: list[float], bare: list[float], parts: dict[str, list[str]]) -> Row:
    mine, theirs = statistics.median(ours), statistics.median(bare)
    detail = {
        "ours": " ".join(f"{took:.1f}" for took in ours) + " s",
        "by hand": " ".join(f"{took:.1f}" for took in bare) + " s",
        **{f"{label} (ours/by hand)": " ".join(found) for label, found in parts.items()},
    }
    return Row("bring-up to steady state, ours by bare", mine / theirs, "", AT_MOST, MOST, detail)
