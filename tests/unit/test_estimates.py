"""How long a play will take, and which source says so."""

from __future__ import annotations

import ast
from pathlib import Path

from pytest_rmqha.estimates import BRING_UP, BY_PROFILE, MEASURED, Estimate, Estimates, minutes, shipped
from pytest_rmqha.settings import PROFILES
from tests.unit.manifests import manifest, scenario

PLAYS = Path(__file__).resolve().parents[2] / "suites" / "plays"


def of(*manifests: dict[str, object], name: str = "a_play", nodeids: tuple[str, ...] = ("a", "b")) -> Estimate:
    return Estimates(manifests, topology="3node", version="3.10").of(name, nodeids, "gate")


def test_a_play_costs_what_its_tests_took_together_without_the_bring_up() -> None:
    run = manifest(
        "run-1", scenario("a", seconds=80), scenario("c", seconds=5), scenario("b", seconds=1), bring_up_seconds=45
    )
    assert of(run) == Estimate(36, "measured in run-1")
    assert of(run, nodeids=("c",)) == Estimate(5, "measured in run-1")


def test_the_newest_run_that_has_it_says() -> None:
    newest, older = manifest("new", scenario("c")), manifest("old", scenario("z"), scenario("b", seconds=7))
    assert of(newest, older) == Estimate(7, "measured in old")


def test_a_red_play_and_another_stack_say_nothing() -> None:
    red = manifest("red", scenario("a", "failed", seconds=300))
    other = manifest("other", scenario("a", seconds=300), settings={"version": "4.3"})
    assert of(red, other) == Estimate(BY_PROFILE["gate"], "the profile's usual")
    assert of(red, other, name="a_broker_is_frozen") == Estimate(MEASURED["a_broker_is_frozen"], "the shipped table")


def test_bring_up_is_measured_or_from_the_table() -> None:
    assert Estimates([], topology="3node", version="3.10").bring_up() == Estimate(BRING_UP, "the shipped table")
    runs = [manifest("up", bring_up_seconds=31.0)]
    assert Estimates(runs, topology="3node", version="3.10").bring_up() == Estimate(31, "measured in up")


def test_the_table_has_plays_that_there_are() -> None:
    there = {
        node.name
        for file in (*PLAYS.glob("*.py"), *PLAYS.parent.glob("test_*.py"))
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert not {name.partition(" [")[0] for name in MEASURED} - there
    assert set(BY_PROFILE) == set(PROFILES)
    assert shipped("suites/test_0_promises.py::test_an_idle_client_survives_ninety_seconds", "gate").seconds == 1
    assert shipped("unknown", "nightly").seconds == BY_PROFILE["nightly"]


def test_minutes_are_said_alike() -> None:
    assert [minutes(33), minutes(541)] == ["0.6 min", "9.0 min"]
