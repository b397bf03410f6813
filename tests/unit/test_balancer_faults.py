"""Faults of a balancer on a stack of dictionaries: its host, one of its programs, and the VRRP conversation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.faults import Fault, vip
from tests.unit.fakes import Answer, World


@pytest.fixture
def world() -> World:
    return World()


OF_A_BALANCER = [
    vip.killed,
    vip.haproxy_killed,
    vip.haproxy_frozen,
    vip.keepalived_stopped,
    vip.keepalived_killed,
    vip.vrrp_dropped,
    vip.vrrp_deaf,
]


@pytest.mark.parametrize("fault_of", OF_A_BALANCER)
def test_a_healthy_balancer_has_no_fault_and_a_heal_restarts_nothing(
    world: World, fault_of: Callable[..., Fault]
) -> None:
    fault = fault_of(world.balancers[0], world.vip)
    fault.heal()

    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert [done for done in world.containers.done if "CONT" not in done] == []
    assert fault.targets == ("lb1",)


def test_a_killed_balancer_is_dead_and_mute_and_started_once(world: World) -> None:
    fault = vip.killed(world.balancers[0], world.vip)

    fault.inject()
    assert not fault.in_effect(), "its page still answers"
    world.pages["lb1"].servers = None
    assert (fault.in_effect(), fault.is_gone()) == (True, False)

    fault.heal()
    fault.heal()
    world.pages["lb1"].servers = {"amqp/rmq1": "UP"}
    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert world.containers.done == ["kill lb1", "start lb1"]


@pytest.mark.parametrize(
    ("fault_of", "program", "signal", "heal"),
    [
        (vip.haproxy_killed, "haproxy", "KILL", "pkill -USR1 -f ^/bin/sh /usr/local/bin/start-balancer"),
        (vip.haproxy_frozen, "haproxy", "STOP", "pkill -CONT -x haproxy"),
        (vip.keepalived_stopped, "keepalived", "TERM", "pkill -USR2 -f ^/bin/sh /usr/local/bin/start-balancer"),
        (vip.keepalived_killed, "keepalived", "KILL", "pkill -USR2 -f ^/bin/sh /usr/local/bin/start-balancer"),
    ],
)
def test_one_program_of_a_balancer_is_hit_and_booted(
    world: World, fault_of: Callable[..., Fault], program: str, signal: str, heal: str
) -> None:
    fault = fault_of(world.balancers[0], world.vip)

    fault.inject()
    assert not fault.in_effect()
    hit = world.frozen if fault_of is vip.haproxy_frozen else world.stopped
    hit.add(("lb1", program))
    if program == "haproxy":
        assert not fault.in_effect(), "its page still answers"
        world.pages["lb1"].servers = None
    assert (fault.in_effect(), fault.is_gone()) == (True, False)

    fault.heal()
    stopped_first = [f"lb1: pkill -STOP -x {program}"] if signal == "KILL" else []
    assert world.containers.done == [*stopped_first, f"lb1: pkill -{signal} -x {program}", f"lb1: {heal}"]
    hit.clear()
    world.pages["lb1"].servers = {"amqp/rmq1": "UP"}
    assert (fault.in_effect(), fault.is_gone()) == (False, True)


def test_a_haproxy_that_died_instead_of_stopping_is_not_frozen(world: World) -> None:
    fault = vip.haproxy_frozen(world.balancers[0], world.vip)
    world.stopped.add(("lb1", "haproxy"))
    world.pages["lb1"].servers = None

    assert not fault.in_effect()


@pytest.mark.parametrize("state", ["exited", "paused"])
@pytest.mark.parametrize(
    "fault_of", [vip.haproxy_killed, vip.haproxy_frozen, vip.keepalived_stopped, vip.keepalived_killed]
)
def test_a_host_that_is_dead_or_frozen_is_not_one_program_down(
    world: World, fault_of: Callable[..., Fault], state: str
) -> None:
    fault = fault_of(world.balancers[0], world.vip)

    world.containers.states["lb1"] = state
    world.pages["lb1"].servers = None
    assert not fault.in_effect()


@pytest.mark.parametrize("fault_of", [vip.haproxy_killed, vip.keepalived_killed])
def test_a_host_that_dies_while_it_is_asked_is_not_one_program_down(
    world: World, monkeypatch: pytest.MonkeyPatch, fault_of: Callable[..., Fault]
) -> None:
    states = iter(["running", "exited"])
    monkeypatch.setattr(world.containers, "state", lambda _service: next(states))
    monkeypatch.setattr(world.containers, "exec", lambda *_command: Answer(code=1))
    world.pages["lb1"].servers = None

    assert not fault_of(world.balancers[0], world.vip).in_effect()


@pytest.mark.parametrize("fault_of", [vip.vrrp_dropped, vip.vrrp_deaf])
def test_vrrp_is_not_dropped_where_nobody_speaks_it(world: World, fault_of: Callable[..., Fault]) -> None:
    fault = fault_of(world.balancers[0], world.vip)

    fault.inject()
    world.filters["lb1"].packets = 5
    assert fault.in_effect()
    world.stopped.add(("lb1", "keepalived"))
    assert not fault.in_effect()
    world.stopped.clear()
    world.containers.states["lb1"] = "paused"
    assert not fault.in_effect()


@pytest.mark.parametrize(
    ("fault_of", "rules"),
    [
        (vip.vrrp_dropped, (("input", "meta l4proto 112"), ("output", "meta l4proto 112"))),
        (vip.vrrp_deaf, (("input", "meta l4proto 112"),)),
    ],
)
def test_vrrp_is_dropped_at_one_balancer(
    world: World, fault_of: Callable[..., Fault], rules: tuple[tuple[str, str], ...]
) -> None:
    fault = fault_of(world.balancers[0], world.vip)

    fault.inject()
    assert not fault.in_effect()
    world.filters["lb1"].packets = 1
    assert fault.in_effect()
    assert world.filters["lb1"].rules == rules

    fault.heal()
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)


@pytest.mark.parametrize(
    ("servers", "keepalived", "holders", "whole"),
    [
        ({"amqp/rmq1": "UP"}, True, ["lb2"], True),
        ({"amqp/rmq1": "UP", "amqp/rmq2": "DOWN"}, True, ["lb1"], False),
        ({}, True, ["lb1"], False),
        (None, True, ["lb1"], False),
        ({"amqp/rmq1": "UP"}, False, ["lb1"], False),
        ({"amqp/rmq1": "UP"}, True, [], False),
        ({"amqp/rmq1": "UP"}, True, ["lb1", "lb2"], False),
    ],
)
def test_a_balancers_fault_is_gone_when_it_serves_and_one_holds_the_address(
    world: World, servers: dict[str, str] | None, keepalived: bool, holders: list[str], whole: bool
) -> None:
    world.pages["lb1"].servers = servers
    world.holders[:] = holders
    if not keepalived:
        world.stopped.add(("lb1", "keepalived"))

    for fault_of in OF_A_BALANCER:
        assert fault_of(world.balancers[0], world.vip).is_gone() is whole


def test_an_engine_that_fails_is_not_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_service: str) -> str:
        raise ToolFailed("no engine")

    monkeypatch.setattr(world.containers, "state", fail)

    assert not vip.killed(world.balancers[0], world.vip).is_gone()


def test_a_haproxy_that_has_not_looked_yet_is_not_back(world: World) -> None:
    """It begins with every server UP: 0.8 s of it were seen while all brokers were dead."""
    world.pages["lb1"].check = "INI"

    for fault_of in OF_A_BALANCER:
        assert not fault_of(world.balancers[0], world.vip).is_gone()
