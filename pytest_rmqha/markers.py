"""The markers of a scenario. Each is a function: its signature is the marker's, its result is what the marker means.

``read(item)`` calls them for everything a test carries and returns one ``Marks``; what is wrong comes back as text
that names the test, the marker and the remedy.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_rmqha import catalogue, data
from pytest_rmqha.budgets import BUDGETS
from pytest_rmqha.capabilities import CAPABILITIES
from pytest_rmqha.catalogue import Scenario
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.logs import AllowedLog
from pytest_rmqha.settings import PROFILES


def rmq_scenario(*ids: str, kind: str | None = None) -> tuple[tuple[str, ...], str | None]:
    """rmq_scenario("N1", "V11", kind=None): ids of the catalogue that this test answers, a report line each."""
    if not ids or not all(isinstance(name, str) for name in ids):
        raise UserInputError(
            "scenario ids",
            repr(ids) if ids else "none",
            "at least one id of the catalogue",
            'write e.g. rmq_scenario("N1")',
        )
    if kind is not None and kind not in catalogue.KINDS:
        raise UserInputError(
            "kind", repr(kind), " or ".join(catalogue.KINDS), "correct it, or leave it out for the catalogue's own"
        )
    return ids, kind


def rmq_fresh_cluster() -> bool:
    """rmq_fresh_cluster(): this test gets a cluster that was just built; such tests run last."""
    return True


def rmq_requires(*capabilities: str) -> tuple[str, ...]:
    """rmq_requires("mirrors", "vip", ...): what the stack must have, or the test is left out with the reason."""
    if not capabilities or not all(isinstance(name, str) for name in capabilities):
        raise UserInputError(
            "capabilities", repr(capabilities) if capabilities else "none", ", ".join(CAPABILITIES), "name at least one"
        )
    return capabilities


def rmq_slo(**budgets: float) -> Mapping[str, float]:
    """rmq_slo(publishing=15, ...): budgets of this test in seconds, instead of the profile's."""
    for name, value in budgets.items():
        if name not in BUDGETS:
            raise _unknown("budget", name, BUDGETS)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise UserInputError(f"budget {name}", repr(value), "seconds, a number above 0", "correct it")
    if not budgets:
        raise UserInputError("budgets", "none", ", ".join(BUDGETS), "name at least one")
    return budgets


def rmq_allows_log(pattern: str, *, reason: str) -> AllowedLog:
    """rmq_allows_log(pattern, reason="..."): a regular expression for log lines that this test causes on purpose."""
    if not isinstance(pattern, str):
        raise UserInputError("pattern", repr(pattern), "a regular expression as text", "correct it")
    if not isinstance(reason, str) or not reason.strip():
        raise UserInputError("reason", repr(reason), "a sentence", "say why the line is expected")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserInputError("pattern", repr(pattern), "a regular expression", f"correct it: {error}") from None
    if compiled.search(""):
        raise UserInputError("pattern", repr(pattern), "one that an empty line does not match", "name the line")
    return AllowedLog(compiled, reason)


def rmq_variant(name: str) -> str:
    """rmq_variant("autoheal"): the folder with the few configuration files that this test needs to differ."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        raise UserInputError("variant", repr(name), "the name of a folder of variants", "use letters, digits, dashes")
    if name not in data.variants():
        raise _unknown("variant", name, data.variants())
    return name


def rmq_profile(name: str) -> str:
    """rmq_profile("nightly"): the smallest profile that has this test; without the marker that is gate."""
    if name not in PROFILES:
        raise _unknown("profile", name, PROFILES)
    return name


MARKERS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (rmq_scenario, rmq_fresh_cluster, rmq_requires, rmq_slo, rmq_allows_log, rmq_variant, rmq_profile)
}


@dataclass(frozen=True)
class Marks:
    """Everything the markers of one test say, the inner ones winning. No scenarios: the test is none of ours."""

    scenarios: tuple[Scenario, ...] = ()
    kind: str = catalogue.PROMISE
    fresh_cluster: bool = False
    requires: tuple[str, ...] = ()
    budgets: Mapping[str, float] = field(default_factory=dict)
    allowed_logs: tuple[AllowedLog, ...] = ()
    variant: str | None = None
    profile: str = PROFILES[0]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(scenario.id for scenario in self.scenarios)


MARKS: pytest.StashKey[Marks] = pytest.StashKey()


def read(
    item: pytest.Item,
    scenarios: Mapping[str, Scenario] | None = None,
    capabilities: Collection[str] = tuple(CAPABILITIES),
) -> tuple[Marks, list[str]]:
    """What the test's markers mean and what is wrong with them; ``scenarios`` are ids beside the catalogue's."""
    said: dict[str, list[Any]] = {name: [] for name in MARKERS}
    wrong: list[str] = []
    for mark in item.iter_markers():
        if not mark.name.startswith("rmq_"):
            continue
        try:
            if mark.name not in MARKERS:
                raise _unknown("marker", mark.name, MARKERS)
            said[mark.name].append(_call(mark))
        except UserInputError as error:
            wrong.append(f"{item.nodeid}: marker {mark.name}: {error}")
    lonely = [name for name, values in said.items() if values] if not said["rmq_scenario"] else []
    if lonely and not wrong:
        wrong.append(f"{item.nodeid}: marker {lonely[0]}: means nothing without rmq_scenario: name the ids of the test")
    try:
        return _put_together(said, scenarios or {}, capabilities), wrong
    except UserInputError as error:
        return Marks(), [*wrong, f"{item.nodeid}: {error}"]


def _call(mark: pytest.Mark) -> Any:
    function = MARKERS[mark.name]
    try:
        inspect.signature(function).bind(*mark.args, **mark.kwargs)
    except TypeError as error:
        usage = (function.__doc__ or "").splitlines()[0].partition("): ")[0] + ")"
        given = ", ".join([*(repr(a) for a in mark.args), *(f"{k}={v!r}" for k, v in mark.kwargs.items())])
        raise UserInputError("arguments", f"({given})", usage, f"correct them: {error}") from None
    return function(*mark.args, **mark.kwargs)


def _put_together(said: Mapping[str, list[Any]], more: Mapping[str, Scenario], capabilities: Collection[str]) -> Marks:
    """``said`` holds, per marker, the innermost first."""
    names = dict.fromkeys(name for ids, _ in reversed(said["rmq_scenario"]) for name in ids)
    scenarios = tuple(catalogue.find(name, more) for name in names)
    kind = next((kind for _, kind in said["rmq_scenario"] if kind), None)
    requires = tuple(dict.fromkeys(name for names_ in reversed(said["rmq_requires"]) for name in names_))
    for name in requires:
        if name not in capabilities:
            raise _unknown("marker rmq_requires: capability", name, capabilities)
    budgets: dict[str, float] = {}
    for outer in reversed(said["rmq_slo"]):
        budgets.update(outer)
    return Marks(
        scenarios=scenarios,
        kind=_kind(scenarios, kind),
        fresh_cluster=bool(said["rmq_fresh_cluster"]),
        requires=requires,
        budgets=budgets,
        allowed_logs=tuple(said["rmq_allows_log"]),
        variant=next(iter(said["rmq_variant"]), None),
        profile=next(iter(said["rmq_profile"]), PROFILES[0]),
    )


def _kind(scenarios: tuple[Scenario, ...], stated: str | None) -> str:
    """One kind a test: promises and demonstrations are never mixed. What the test states wins over the catalogue."""
    kinds = {stated} if stated else {scenario.kind for scenario in scenarios}
    if len(kinds) > 1:
        raise UserInputError(
            "marker rmq_scenario: kind",
            ", ".join(f"{s.id} is a {s.kind}" for s in scenarios),
            "one kind for all ids of a test",
            'split the test, or state the kind of what it asserts: kind="promise" or kind="demonstration"',
        )
    return kinds.pop() if kinds else catalogue.PROMISE


def _unknown(what: str, got: object, known: Collection[str]) -> UserInputError:
    close = difflib.get_close_matches(str(got), known, n=1, cutoff=0.6)
    return UserInputError(what, repr(got), ", ".join(known), f"write {close[0]}" if close else "use one of these")
