"""What queues tell of themselves after a cold start: one without a state is not taken for running."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import pytest

from pytest_rmqha.waiting import await_match
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Hands, World


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, hands: Hands) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    play = importlib.import_module("plays.cold_starts")
    monkeypatch.setattr(play, "await_match", functools.partial(await_match, clock=hands.now, sleep=hands.sleep))
    return play


@pytest.fixture
def world() -> World:
    world = World()
    world.has_queue("classic", state="running", node="rabbit@host1")
    return world


def test_a_queue_that_tells_no_state_is_waited_for(play: Any, hands: Hands, world: World) -> None:
    quorum = world.has_queue("quorum", leader="rabbit@host1", members=["rabbit@host1"])
    hands.then = lambda: quorum.update(state="running") if hands.at > 110 else None

    assert play.states_of_queues(world.cluster) == {"classic": "running", "quorum": "running"}
    assert 110 < hands.at < 112


@pytest.mark.parametrize(("told", "state"), [({}, ""), ({"state": None}, ""), ({"state": "down"}, "down")])
def test_one_that_does_not_run_after_30_s_is_told(
    play: Any, hands: Hands, world: World, told: dict[str, Any], state: str
) -> None:
    world.has_queue("quorum", leader="rabbit@host1", members=["rabbit@host1"], **told)

    assert play.states_of_queues(world.cluster) == {"classic": "running", "quorum": state}
    assert hands.at == pytest.approx(130, abs=0.3)


def test_nothing_is_told_where_nobody_answers(play: Any, world: World) -> None:
    for api in world.apis:
        api.mute = True
    assert play.states_of_queues(world.cluster) == {}
