"""Which of the collected scenarios run, in which order, and what is refused before anything starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from pytest_rmqha import catalogue, topology
from pytest_rmqha.capabilities import CAPABILITIES, Lack, lacking
from pytest_rmqha.catalogue import Scenario
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.markers import MARKS, Marks, read
from pytest_rmqha.session_report import LeftOut
from pytest_rmqha.settings import PROFILES, Settings
from pytest_rmqha.topology import Topology

NOT_CHOSEN = "not chosen on the command line (-k, -m or --deselect)"
REPEATERS = ("reruns", "retries", "force_flaky")
PARALLEL = (
    "-n: got workers; allowed with scenarios: -n0, one cluster at a time. Nothing of them was run. Run without -n"
)
REFUSED_MARKS = {
    "flaky": "a verdict is never retried",
    "xfail": "an expected red is a demonstration: it asserts what it costs and is green when it sees it",
    "skip": "a scenario that does not apply says so with rmq_requires or rmq_profile, and is listed with the reason",
    "skipif": "a scenario that does not apply says so with rmq_requires or rmq_profile, and is listed with the reason",
}


def declared_topology(settings: Settings, *, with_docker: bool) -> Topology:
    """The shape that the compose file declares; without docker a file that includes or extends others can't be read."""
    file = settings.topology_file
    if with_docker:
        from pytest_rmqha.adapters.compose import read_config

        return topology.from_compose(read_config(file, {}), settings.topology_name)
    try:
        config = yaml.safe_load(_interpolated(file.read_text(encoding="utf-8"), os.environ))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserInputError("compose file", str(file), "a readable compose file", f"correct it: {error}") from None
    if not isinstance(config, dict):
        raise UserInputError("compose file", str(file), "a mapping with services and networks", "name a compose file")
    if "include" in config or any("extends" in (body or {}) for body in (config.get("services") or {}).values()):
        raise UserInputError(
            "compose file",
            f"{file} includes or extends other files",
            "a file that can be read without docker",
            f"give the plan the merged file: docker compose -f {file} config > merged.yaml",
        )
    return topology.from_compose(config, settings.topology_name)


def _interpolated(text: str, environment: Mapping[str, str]) -> str:
    """``${NAME}``, ``${NAME:-default}`` and ``${NAME-default}`` as compose reads them."""
    return re.sub(r"\$\{(\w+)(?::?-([^}]*))?\}", lambda m: environment.get(m[1]) or m[2] or "", text)


def read_marks(
    items: Sequence[pytest.Item], scenarios: Mapping[str, Scenario], more: Mapping[str, Lack]
) -> list[pytest.Item]:
    """Puts ``Marks`` on every item and returns the scenarios among them; UsageError lists everything that is wrong."""
    wrong: list[str] = []
    known = tuple({**CAPABILITIES, **more})
    for item in items:
        item.stash[MARKS], errors = read(item, scenarios, known)
        wrong += dict.fromkeys(errors)
    ours = [item for item in items if item.stash[MARKS].ids]
    for item in ours:
        wrong += [
            f"{item.nodeid}: marker {name}: not on a scenario: {reason}"
            for name, reason in REFUSED_MARKS.items()
            if item.get_closest_marker(name)
        ]
    if wrong:
        raise pytest.UsageError("\n".join(wrong[:20] + ([f"and {len(wrong) - 20} more"] if len(wrong) > 20 else [])))
    return ours


def refuse_repeats(config: pytest.Config) -> None:
    """UsageError when some plugin would run a red scenario again."""
    for name in REPEATERS:
        value = config.getoption(name, None) or _ini(config, name)
        if value and str(value) not in ("0", "False"):
            option = "--" + name.replace("_", "-")
            raise pytest.UsageError(
                f"{option}: got {value}; allowed: 0 with scenarios, because a verdict is never retried: "
                f"a stack that loses messages now and then is not safe. Remove {option} (also from the ini file)"
            )


def _ini(config: pytest.Config, name: str) -> object:
    try:
        return config.getini(name)
    except (KeyError, ValueError):
        return None


def why_left_out(marks: Marks, settings: Settings, shape: Topology, more: Mapping[str, Lack]) -> str:
    """Empty when the scenario runs."""
    if PROFILES.index(marks.profile) > PROFILES.index(settings.profile):
        return f"profile {settings.profile} has it not, {marks.profile} has"
    if marks.kind == catalogue.DEMONSTRATION and not settings.is_reference:
        return "a demonstration sets an unsafe thing itself: it runs on the reference stack only"
    if marks.variant and not settings.is_reference:
        return f"variant {marks.variant} changes the reference configuration, and this run judges another one"
    return lacking(marks.requires, shape, settings.version, more)


def select(
    items: Sequence[pytest.Item], settings: Settings, shape: Topology, more: Mapping[str, Lack]
) -> tuple[list[pytest.Item], list[pytest.Item], list[LeftOut]]:
    """(what runs, what does not, why not)"""
    runs: list[pytest.Item] = []
    out: list[pytest.Item] = []
    reasons: list[LeftOut] = []
    for item in items:
        marks = item.stash[MARKS]
        reason = why_left_out(marks, settings, shape, more)
        (out if reason else runs).append(item)
        if reason:
            reasons.append(LeftOut(item.nodeid, marks.ids, reason))
    return runs, out, reasons


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Plain configuration first, then each variant once, chapter by chapter in each; fresh clusters last.

    A fresh cluster is built with its variant, so entering it there costs nothing more.
    """
    variants = {v: n for n, v in enumerate(sorted({item.stash[MARKS].variant or "" for item in items}))}

    def key(item: pytest.Item) -> tuple[Any, ...]:
        marks = item.stash[MARKS]
        return marks.fresh_cluster, variants[marks.variant or ""], min(s.chapter for s in marks.scenarios)

    return sorted(items, key=key)


def put_back(items: list[pytest.Item], ours: Sequence[pytest.Item], ordered: Sequence[pytest.Item]) -> None:
    """Replaces ``ours`` in ``items`` by ``ordered`` in the places that they had; other tests stay where they are."""
    mine, waiting = set(ours), iter(ordered)
    placed = [next(waiting, None) if item in mine else item for item in items]
    items[:] = [item for item in placed if item is not None]


def plan_lines(items: Sequence[pytest.Item]) -> list[str]:
    """What would run, in order: ids, what is done, where it is written."""
    lines: list[str] = []
    for number, item in enumerate(items, 1):
        marks = item.stash[MARKS]
        notes = [
            n
            for n in (marks.kind, marks.variant and f"variant {marks.variant}", marks.fresh_cluster and "fresh cluster")
            if n
        ]
        lines.append(f"{number:>3} {' '.join(marks.ids):<12} {'; '.join(notes)}  {item.nodeid}")
        lines += [f"    {scenario.id:<12} {scenario.title}" for scenario in marks.scenarios]
    return lines
