"""Each fault on a stack of dictionaries: when it is in effect, when it is gone, and that healing can be said twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, ToolFailed
from pytest_rmqha.faults import Fault, cluster, node
from tests.unit.fakes import Hands, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def victim(world: World) -> Node:
    return world.nodes[0]


# one broker


OF_ONE_BROKER = [node.killed, node.stopped, node.restarted, node.frozen, node.app_stopped]


@pytest.mark.parametrize("fault_of", OF_ONE_BROKER)
def test_a_healthy_broker_has_no_fault(world: World, victim: Node, fault_of: Callable[..., Fault]) -> None:
    fault = fault_of(world.cluster, victim)

    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert fault.targets == ("rmq1",)


@pytest.mark.parametrize("fault_of", [node.stopped, node.restarted])
def test_a_broker_that_had_to_be_killed_was_not_stopped(
    world: World, victim: Node, fault_of: Callable[..., Fault]
) -> None:
    world.containers.deaf.add("rmq1")

    with pytest.raises(ToolFailed, match=r"rmq1 did not end within 30 s of a SIGTERM, and was killed"):
        fault_of(world.cluster, victim).inject()


@pytest.mark.parametrize("fault_of", OF_ONE_BROKER)
def test_healing_what_was_never_injected_touches_nothing(
    world: World, victim: Node, fault_of: Callable[..., Fault]
) -> None:
    fault_of(world.cluster, victim).heal()

    assert world.containers.done == []


@pytest.mark.parametrize(
    ("fault_of", "injects", "heals"),
    [
        (node.killed, "kill rmq1", "start rmq1"),
        (node.stopped, "stop rmq1", "start rmq1"),
        (node.restarted, "stop rmq1", "start rmq1"),
        (node.frozen, "pause rmq1", "unpause rmq1"),
        (node.app_stopped, "rmq1: rabbitmqctl stop_app", "rmq1: rabbitmqctl start_app"),
    ],
)
def test_what_is_done_to_a_broker_is_undone_once(
    world: World, victim: Node, fault_of: Callable[..., Fault], injects: str, heals: str
) -> None:
    fault = fault_of(world.cluster, victim)

    fault.inject()
    world.loses(victim)
    assert (fault.in_effect(), fault.is_gone()) == (True, False)

    fault.heal()
    world.finds(victim)
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert world.containers.done == [injects, heals]


@pytest.mark.parametrize("fault_of", [node.killed, node.stopped])
def test_a_death_that_no_survivor_has_noticed_is_not_in_effect(
    world: World, victim: Node, fault_of: Callable[..., Fault]
) -> None:
    world.containers.states["rmq1"] = "exited"
    world.apis[0].mute = True

    assert not fault_of(world.cluster, victim).in_effect()


@pytest.mark.parametrize("fault_of", [node.killed, node.stopped])
def test_a_death_that_nobody_can_confirm_is_not_in_effect(
    world: World, victim: Node, fault_of: Callable[..., Fault]
) -> None:
    world.containers.states["rmq1"] = "exited"
    for api in world.apis:
        api.mute = True

    assert not fault_of(world.cluster, victim).in_effect()


@pytest.mark.parametrize("fault_of", [node.killed, node.stopped, node.app_stopped, node.frozen])
def test_a_broker_that_is_alone_has_no_survivor_to_ask(fault_of: Callable[..., Fault]) -> None:
    world = World(size=1)
    fault = fault_of(world.cluster, world.nodes[0])

    fault.inject()
    world.loses(world.nodes[0])

    assert (fault.in_effect(), fault.is_gone()) == (True, False)


def test_a_broker_whose_container_runs_is_not_dead(world: World, victim: Node) -> None:
    world.loses(victim)

    assert not node.killed(world.cluster, victim).in_effect()


@pytest.mark.parametrize("state", ["running", "exited"])
def test_frozen_is_paused_and_mute(world: World, victim: Node, state: str) -> None:
    fault = node.frozen(world.cluster, victim)

    world.containers.states["rmq1"], world.apis[0].mute = state, True
    assert not fault.in_effect()
    world.containers.states["rmq1"], world.apis[0].mute = "paused", False
    assert not fault.in_effect()
    world.apis[0].mute = True
    assert fault.in_effect()


def test_a_stopped_app_leaves_its_container_running(world: World, victim: Node) -> None:
    fault = node.app_stopped(world.cluster, victim)

    world.loses(victim)
    assert fault.in_effect()
    world.containers.states["rmq1"] = "exited"
    assert not fault.in_effect()


def test_a_broker_is_back_when_each_sees_each(world: World, victim: Node) -> None:
    fault = node.killed(world.cluster, victim)

    for at, peer in itertools.product(range(3), world.names):
        world.apis[at].seen[peer]["running"] = False
        assert not fault.is_gone()
        world.apis[at].seen[peer]["running"] = True
    assert fault.is_gone()


def test_a_broker_that_does_not_answer_yet_is_not_back(world: World, victim: Node) -> None:
    world.apis[0].mute = True

    assert not node.killed(world.cluster, victim).is_gone()


# the whole cluster


def test_the_cluster_is_stopped_in_one_order_and_started_in_another(world: World) -> None:
    a, b, c = world.nodes
    fault = cluster.stopped_whole(world.cluster, stop=[a, b, c], start=[c, a, b])
    assert (fault.in_effect(), fault.is_gone()) == (False, True)

    fault.inject()
    assert fault.in_effect()

    fault.heal()
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert world.containers.done == [f"stop rmq{n}" for n in (1, 2, 3)] + [f"start rmq{n}" for n in (3, 1, 2)]
    assert fault.title == "whole cluster stopped in the order 123 started 312"


def test_the_next_broker_is_not_stopped_before_the_last_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Hands(stride=5).hold(monkeypatch, "faults.cluster")
    monkeypatch.setattr(world.containers, "state", lambda _service: "running")
    fault = cluster.stopped_whole(world.cluster, stop=world.nodes, start=world.nodes)

    with pytest.raises(BudgetSpent, match="rmq1 stopped"):
        fault.inject()
    assert world.containers.done == ["stop rmq1"]


def test_the_whole_cluster_is_killed_and_only_the_dead_are_started(world: World) -> None:
    fault = cluster.killed_whole(world.cluster)
    fault.heal()
    assert world.containers.done == []

    fault.inject()
    assert fault.in_effect()
    world.containers.start("rmq2")
    assert not fault.in_effect()

    fault.heal()
    assert sorted(world.containers.done) == sorted(
        [*(f"kill rmq{n}" for n in (1, 2, 3)), *(f"start rmq{n}" for n in (1, 2, 3))]
    )


def test_the_cluster_is_not_back_while_one_is_mute_or_alone(world: World) -> None:
    fault = cluster.killed_whole(world.cluster)
    assert fault.is_gone()

    world.apis[2].mute = True
    assert not fault.is_gone()
    world.apis[2].mute = False
    world.apis[2].seen[world.names[0]]["running"] = False
    assert not fault.is_gone()


def test_an_engine_that_fails_is_not_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_service: str) -> str:
        raise ToolFailed("no engine")

    monkeypatch.setattr(world.containers, "state", fail)

    assert not node.killed(world.cluster, world.nodes[0]).is_gone()
