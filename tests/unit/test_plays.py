"""Which play a test asks for, read from its code: of made-up tests in every spelling, and of the real scenarios."""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha import plays
from pytest_rmqha.faults import node as node_faults
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.markers import MARKS
from pytest_rmqha.plays import asked_by, faults_of, injects, is_play, plays_of

SUITES = Path(__file__).resolve().parents[2] / "suites"


def the_node_is_killed(stage: Stage) -> object:
    return _through(stage, killed)


def the_node_is_stopped(stage):  # type: ignore[no-untyped-def]
    return stage.chaos.inject(node_faults.stopped(stage.cluster, stage.cluster.nodes[0]))


def _through(stage: Stage, strike: Callable[..., object]) -> object:
    return strike(stage.cluster, stage.cluster.nodes[0])


def holds(seen: object) -> None:
    assert seen


def seen_of_the_kill(observe: Callable[..., Any]) -> Any:
    return observe(the_node_is_killed)


HERE = types.ModuleType("here")
HERE.the_node_is_stopped = the_node_is_stopped  # type: ignore[attr-defined]


def directly(observe):  # type: ignore[no-untyped-def]
    holds(observe(the_node_is_killed))


def through_a_module(observe):  # type: ignore[no-untyped-def]
    holds(observe(HERE.the_node_is_stopped))


def in_a_nested_function(observe):  # type: ignore[no-untyped-def]
    holds([observe(play) for play in (lambda: [the_node_is_killed])()])


def through_a_helper(observe):  # type: ignore[no-untyped-def]
    holds(seen_of_the_kill(observe))


def with_both(observe):  # type: ignore[no-untyped-def]
    holds((observe(the_node_is_stopped), observe(the_node_is_killed)))


def by_itself(stage):  # type: ignore[no-untyped-def]
    stage.chaos.inject(killed(stage.cluster, stage.cluster.nodes[0]))


@functools.wraps(directly)
def wrapped(*args: Any) -> None:
    raise NotImplementedError


class Given:
    """As much of an item as is read."""

    def __init__(self, function: Callable[..., object], name: str = "", variant: str | None = None) -> None:
        self.function, self.nodeid = function, name or function.__name__
        marks = types.SimpleNamespace(ids=("N1",), variant=variant, profile="gate")
        self.stash = {MARKS: marks}


@pytest.fixture(autouse=True)
def given_counts_as_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plays, "pytest", types.SimpleNamespace(Function=(Given, pytest.Function), Item=pytest.Item))


def item(function: Callable[..., object], name: str = "", variant: str | None = None) -> Any:
    return Given(function, name, variant)


@pytest.mark.parametrize(
    ("function", "asked"),
    [
        (directly, [the_node_is_killed]),
        (through_a_module, [the_node_is_stopped]),
        (in_a_nested_function, [the_node_is_killed]),
        (through_a_helper, [the_node_is_killed]),
        (with_both, [the_node_is_stopped, the_node_is_killed]),
        (wrapped, [the_node_is_killed]),
        (by_itself, []),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_play_is_found_by_the_names_in_the_code(function: Callable[..., object], asked: list[object]) -> None:
    assert asked_by(item(function)) == asked


def test_a_play_that_is_a_parameter_is_found() -> None:
    one = item(by_itself)
    one.callspec = types.SimpleNamespace(params={"play": the_node_is_killed, "n": 3})
    assert asked_by(one) == [the_node_is_killed]


def own_fault(node: str) -> Fault:
    raise NotImplementedError


def with_a_fault_of_its_own(stage: Stage) -> object:
    return stage.chaos.inject(own_fault("rmq1"))


def without_a_fault(stage: Stage) -> object:
    return stage.cluster


def test_a_suites_own_fault_counts_and_a_play_may_have_none() -> None:
    striking: Any = with_a_fault_of_its_own
    peaceful: Any = without_a_fault
    assert (faults_of(striking), injects(striking)) == ([own_fault], True)
    assert (faults_of(peaceful), injects(peaceful)) == ([], False)


def test_what_is_a_play() -> None:
    own: list[Any] = [the_node_is_killed, the_node_is_stopped]
    others: list[Any] = [holds, seen_of_the_kill, _through, killed]
    assert all(map(is_play, own)) and not any(map(is_play, others))


def test_faults_are_found_through_helpers_and_modules() -> None:
    own: list[Any] = [the_node_is_killed, the_node_is_stopped]
    assert [faults_of(play) for play in own] == [[killed], [node_faults.stopped]]


def test_tests_of_one_play_are_together_in_the_order_of_the_first() -> None:
    a, b, c = item(directly, "a"), item(by_itself, "b"), item(through_a_helper, "c")
    found = plays_of([a, b, c])
    assert [(play.name, play.nodeids) for play in found] == [("the_node_is_killed", ("a", "c")), ("b", ("b",))]
    assert [name for name, _ in found[0].faults] == ["killed"]
    assert [name for name, _ in found[1].faults] == ["killed"]


def test_a_test_of_two_plays_ties_them_together() -> None:
    found = plays_of([item(directly, "a"), item(through_a_module, "b"), item(with_both, "c")])
    assert [play.nodeids for play in found] == [("a", "b", "c")]


def test_each_variant_is_a_play_of_its_own() -> None:
    found = plays_of([item(directly, "a"), item(directly, "b", variant="autoheal")])
    assert [play.name for play in found] == ["the_node_is_killed", "the_node_is_killed [autoheal]"]


def scenarios() -> Iterator[Any]:
    """Every test function of the real suites that takes ``observe``; a parametrized one with all its functions given."""
    for file in sorted(SUITES.glob("test_*.py")):
        module = importlib.import_module(file.stem)
        for name, function in vars(module).items():
            if name.startswith("test") and "observe" in inspect.signature(function).parameters:
                one = item(function)
                marks = [mark for mark in getattr(function, "pytestmark", []) if mark.name == "parametrize"]
                params = {str(n): value for mark in marks for n, value in enumerate(_flat(mark.args[1]))}
                one.callspec = types.SimpleNamespace(params=params)
                yield one


def _flat(value: Any) -> Iterator[Any]:
    inner = getattr(value, "values", value)
    if isinstance(inner, list | tuple):
        for one in inner:
            yield from _flat(one)
    else:
        yield inner


def test_every_scenario_that_observes_has_its_play_and_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SUITES))
    own = list(scenarios())
    found = plays_of(own)

    assert len(own) > 20
    assert [one.nodeid for one in own if not asked_by(one)] == []
    strikes = [play for play in found if any(injects(asked) for item in play.items for asked in asked_by(item))]
    assert len(strikes) > 10
    assert [play.name for play in strikes if not play.faults] == []
    kill = next(play for play in found if play.name == "the_leaders_node_is_killed")
    assert len(kill.nodeids) >= 7
