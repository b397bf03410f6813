"""Which of the collected scenarios run, in which order, and what is refused before anything starts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from pytest_rmqha import catalogue, data, estimates, shards, topology_reader
from pytest_rmqha.capabilities import CAPABILITIES, Lack, lacking
from pytest_rmqha.catalogue import Scenario
from pytest_rmqha.config.folder import ConfigFile, layered
from pytest_rmqha.config.listens import MANAGEMENT, listens
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.markers import MARKS, Marks, read
from pytest_rmqha.opening import configuration_folders
from pytest_rmqha.plays import plays_of
from pytest_rmqha.session_report import LeftOut
from pytest_rmqha.settings import PROFILES, Settings
from pytest_rmqha.shards import Shard
from pytest_rmqha.topology import Topology

REFERENCE_LINE = "3.10"
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

        return topology_reader.from_compose(read_config(file, {}), settings.topology_name)
    try:
        config = yaml.safe_load(_interpolated(file.read_text(encoding="utf-8"), os.environ))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserInputError("compose file", str(file), "a readable compose file", f"correct it: {error}") from None
    if not isinstance(config, dict):
        raise UserInputError("compose file", str(file), "a mapping with services and networks", "name a compose file")
    services = config.get("services")
    bodies = services.values() if isinstance(services, dict) else ()
    if "include" in config or any(isinstance(body, dict) and "extends" in body for body in bodies):
        raise UserInputError(
            "compose file",
            f"{file} includes or extends other files",
            "a file that can be read without docker",
            f"give the plan the merged file: docker compose -f {file} config > merged.yaml",
        )
    return topology_reader.from_compose(config, settings.topology_name)


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


def _files_of_balancers(settings: Settings, shape: Topology) -> list[ConfigFile]:
    folders = configuration_folders(settings)
    members = (layered(folders, b.service, "balancer", b.hostname, settings.config) for b in shape.balancers)
    return [file for files in members for file in files.values()]


def why_left_out(marks: Marks, settings: Settings, shape: Topology, more: Mapping[str, Lack]) -> str:
    """Empty when the scenario runs."""
    if PROFILES.index(marks.profile) > PROFILES.index(settings.profile):
        return f"profile {settings.profile} has it not, {marks.profile} has"
    if marks.kind == catalogue.DEMONSTRATION and not settings.is_reference:
        return "a demonstration sets an unsafe thing itself: it runs on the reference stack only"
    if "reference" in marks.requires and not settings.is_reference:
        return "it looks at what only the reference configuration has (its logs, its way to return)"
    if "vip_management" in marks.requires and listens(_files_of_balancers(settings, shape)).lacks(MANAGEMENT):
        return f"no haproxy.cfg listens on {MANAGEMENT}: the management is not behind the VIP"
    if marks.variant and not settings.is_reference:
        return f"variant {marks.variant} changes the reference configuration, and this run judges another one"
    if (
        marks.variant
        and settings.version != REFERENCE_LINE
        and any(data.variant_folder(marks.variant).glob("rabbitmq*"))
    ):
        return f"variant {marks.variant} has brokers' files of line {REFERENCE_LINE}"
    return lacking(marks.requires, shape, settings.version, more)


@dataclass
class Selection:
    """``runs``, ``out`` and why; ``whole``: node ids of everything that runs in one of the shards."""

    runs: list[pytest.Item]
    out: list[pytest.Item] = field(default_factory=list)
    reasons: list[LeftOut] = field(default_factory=list)
    whole: tuple[str, ...] = ()

    def leave_out(self, why: Callable[[pytest.Item], str]) -> None:
        """Whatever ``why`` has a reason for."""
        kept = []
        for item in self.runs:
            reason = why(item)
            if reason:
                self.out.append(item)
                self.reasons.append(LeftOut(item.nodeid, item.stash[MARKS].ids, reason))
            else:
                kept.append(item)
        self.runs = kept


def select(
    items: Sequence[pytest.Item],
    settings: Settings,
    shape: Topology,
    more: Mapping[str, Lack],
    settled: Mapping[str, str] | None = None,
) -> Selection:
    """What applies here, of that what belongs to this shard, of that what an earlier run has not ``settled``.

    The shards are cut before anything is left out as settled, so that they stay the same when one of them is resumed.
    """
    selection = Selection(list(items))
    selection.leave_out(lambda item: why_left_out(item.stash[MARKS], settings, shape, more))
    selection.whole = tuple(item.nodeid for item in selection.runs)
    if settings.shard is not None and selection.runs:
        selection.leave_out(_elsewhere(in_order(selection.runs), settings.shard))
    selection.leave_out(lambda item: (settled or {}).get(item.nodeid, ""))
    return selection


def _elsewhere(items: Sequence[pytest.Item], shard: Shard) -> Callable[[pytest.Item], str]:
    """Why an item is not in this shard. UserInputError if there are fewer plays than shards: an empty one proves nothing.

    Each shard has a stack of its own, so what is asked of every stack (``shards.ON_EVERY_STACK``) is not dealt out.
    """
    dealt = [item for item in items if not set(item.stash[MARKS].ids) <= shards.ON_EVERY_STACK] or list(items)
    plays = plays_of(dealt)
    if len(plays) < shard.count:
        raise UserInputError(
            "--rmq-shard",
            shard,
            f"at most {len(plays)} shards",
            f"{len(plays)} plays run, and the tests of a play stay together: take fewer shards",
        )
    costs = {play.nodeids[0]: estimates.shipped(play.name, play.profile).seconds for play in plays}
    parts = shards.dealt(costs, shard.count)
    part_of = {nodeid: parts[play.nodeids[0]] for play in plays for nodeid in play.nodeids}
    place = {item.nodeid: number for number, item in enumerate(items)}
    struck = {place[play.nodeids[0]]: parts[play.nodeids[0]] for play in plays if play.faults}

    def asked_in(item: pytest.Item) -> Collection[int]:
        if item.nodeid in part_of:
            return (part_of[item.nodeid],)
        before = [part for number, part in struck.items() if number < place[item.nodeid]]
        return shards.asked_in(shard.count, before, after_faults="G11" in item.stash[MARKS].ids)

    def why(item: pytest.Item) -> str:
        parts_of_it = asked_in(item)
        return "" if shard.index in parts_of_it else shards.why_elsewhere(min(parts_of_it), shard.count)

    return why


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Plain configuration first, then each variant once, chapter by chapter in each; fresh clusters last.

    A fresh cluster is built with its variant, so entering it there costs nothing more.
    """
    variants = {v: n for n, v in enumerate(sorted({item.stash[MARKS].variant or "" for item in items}))}

    def key(item: pytest.Item) -> tuple[Any, ...]:
        marks = item.stash[MARKS]
        return marks.fresh_cluster, variants[marks.variant or ""], min(s.turn for s in marks.scenarios)

    return sorted(items, key=key)


def put_back(items: list[pytest.Item], ours: Sequence[pytest.Item], ordered: Sequence[pytest.Item]) -> None:
    """Replaces ``ours`` in ``items`` by ``ordered`` in the places that they had; other tests stay where they are."""
    mine, waiting = set(ours), iter(ordered)
    placed = [next(waiting, None) if item in mine else item for item in items]
    items[:] = [item for item in placed if item is not None]


def refuse_mixed_plays(items: Sequence[pytest.Item]) -> None:
    """A play is run once for all its tests, under one set of markers: tests that state different ones are a UsageError."""
    for play in plays_of(items):
        said = {
            (m.fresh_cluster, frozenset(log.pattern.pattern for log in m.allowed_logs))
            for m in (item.stash[MARKS] for item in play.items)
        }
        if len(said) > 1:
            raise pytest.UsageError(
                f"markers of tests that share the play {play.name}: got different ones on {', '.join(play.nodeids)}; expected the "
                "same rmq_fresh_cluster and rmq_allows_log on each, for the play is run once. Put them on all of these tests"
            )
