"""When a broker counts as marked DOWN: every server of it that counts, on every balancer, or never."""

from __future__ import annotations

import functools
import importlib
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha import waiting
from pytest_rmqha.errors import NoVerdict
from pytest_rmqha.timeline import Event
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Hands, World
from tests.unit.test_servers_by_address import PageWithAddresses

AMQP, WEB = "192.0.2.3:5672", "192.0.2.3:15672"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of plays whose waits pass on a clock of their own."""
    monkeypatch.syspath_prepend(str(SUITES))
    hands = Hands()

    def imported(name: str) -> Any:
        module = importlib.import_module(f"plays.{name}")
        patched = functools.partial(waiting.await_match, clock=hands.now, sleep=hands.sleep)
        monkeypatch.setattr(module, "await_match", patched)
        monkeypatch.setattr(module, "clock", SimpleNamespace(now=hands.now))
        return module

    return imported


def balancers(world: World, amqp: str, web: str) -> list[Any]:
    """Both with AMQP and management of rmq3, whose servers are called otherwise."""
    servers = {"rabbit/n3": (amqp, AMQP), "web/n3": (web, WEB)}
    return [replace(b, page=PageWithAddresses(servers)) for b in world.balancers]


def test_a_frozen_broker_counts_as_down_by_its_amqp_servers_alone(play: Any) -> None:
    world, plays = World(), play("balancers")
    both = balancers(world, "DOWN", "UP")
    servers = {b: plays.amqp_servers(b, world.nodes[2]) for b in both}

    assert set(servers.values()) == {frozenset({"rabbit/n3"})}
    assert plays._when_down(servers, since=98.0) == {"lb1": 2.0, "lb2": 2.0}


def test_management_that_is_down_does_not_stand_for_amqp_that_stays_up(play: Any) -> None:
    world, plays = World(), play("balancers")
    both = balancers(world, "UP", "DOWN")

    seen = plays._when_down({b: plays.amqp_servers(b, world.nodes[2]) for b in both}, since=98.0)

    assert seen == {"lb1": math.inf, "lb2": math.inf}


def test_a_broker_that_no_server_leads_to_is_no_verdict(play: Any) -> None:
    world = World()

    with pytest.raises(NoVerdict, match=r"no server of lb1 is at 192\.0\.2\.1"):
        play("balancers").amqp_servers(balancers(world, "UP", "UP")[0], world.nodes[0])


def down(at: float, server: str) -> Event:
    return Event(at, "backend", server, "DOWN", {"state": "DOWN"})


@pytest.mark.parametrize(
    ("downs", "after"),
    [
        ([down(102, "lb1/rabbit/n3"), down(109, "lb1/web/n3")], 9.0),
        ([down(102, "lb1/rabbit/n3")], math.inf),
        ([down(99, "lb1/rabbit/n3"), down(103, "lb1/web/n3")], math.inf),
        ([down(102, "lb2/rabbit/n3"), down(103, "lb2/web/n3")], math.inf),
    ],
)
def test_a_killed_broker_is_down_when_the_last_of_its_servers_is(play: Any, downs: list[Event], after: float) -> None:
    stage = SimpleNamespace(events=(Event(100, "fault.injected", "killed", "", {}), *downs))

    seen = play("leader_killed").when_marked_down(stage, {"lb1": frozenset({"rabbit/n3", "web/n3"})})

    assert seen == {"lb1": after}


def test_only_the_victims_own_servers_may_be_down(play: Any) -> None:
    own = {"lb1": frozenset({"rabbit/n3"})}
    plays = play("leader_killed")

    assert plays.others_up(SimpleNamespace(events=(down(1, "lb1/rabbit/n3"),)), own)
    assert not plays.others_up(SimpleNamespace(events=(down(1, "lb1/rabbit/n1"),)), own)
