"""Steady state: each sentence that says what is not whole, and silence when all is."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rmqha.errors import InvariantNotUpheld, StackNotUp
from pytest_rmqha.steady import SteadyState
from pytest_rmqha.waiting import seconds
from tests.unit.fakes import Hands, World

A, B, C = "rabbit@host1", "rabbit@host2", "rabbit@host3"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def steady(world: World) -> SteadyState:
    return SteadyState(world.cluster, world.balancers, world.vip, world.links)


def mirrored(**changes: Any) -> dict[str, Any]:
    return {
        "type": "classic",
        "state": "running",
        "node": A,
        "slave_nodes": [B, C],
        "synchronised_slave_nodes": [B, C],
        "effective_policy_definition": {"ha-mode": "all"},
        "arguments": {},
        **changes,
    }


def quorum(**changes: Any) -> dict[str, Any]:
    online = [A, B, C]
    return {"type": "quorum", "state": "running", "leader": A, "members": online, "online": online, **changes}


def test_a_whole_stack_has_no_problems(world: World, steady: SteadyState) -> None:
    world.has_queue("m", **mirrored())
    world.has_queue("q", **quorum())
    world.has_queue("plain", type="classic", state="running", node=B)

    assert steady.problems() == []


def test_one_broker_alone_is_whole() -> None:
    world = World(size=1)
    world.has_queue("m", **mirrored(slave_nodes=[], synchronised_slave_nodes=[]))

    assert SteadyState(world.cluster, (), None, None).problems() == []


# members


@pytest.mark.parametrize("state", ["exited", "paused", "restarting"])
def test_a_container_that_does_not_run(world: World, steady: SteadyState, state: str) -> None:
    world.containers.states["rmq2"] = state

    assert steady.problems() == [f"container of rmq2 is {state}"]


def test_a_node_that_misses_a_peer(world: World, steady: SteadyState) -> None:
    world.apis[2].seen[A]["running"] = False

    assert steady.problems() == [f"rmq3: sees {[B, C]} running instead of {[A, B, C]}"]


def test_a_node_that_sees_a_stranger(world: World, steady: SteadyState) -> None:
    world.apis[0].seen["rabbit@odd"] = {**world.apis[0].seen[A], "name": "rabbit@odd"}

    assert steady.problems() == [f"rmq1: sees {[A, B, C, 'rabbit@odd']} running instead of {[A, B, C]}"]


def test_a_partition(world: World, steady: SteadyState) -> None:
    world.apis[0].seen[B]["partitions"] = [C]

    assert steady.problems() == [f"rmq1: sees {B} partitioned from {[C]}"]


@pytest.mark.parametrize("alarm", ["mem", "disk_free"])
def test_an_alarm(world: World, steady: SteadyState, alarm: str) -> None:
    world.apis[1].seen[C][f"{alarm}_alarm"] = True

    assert steady.problems() == [f"rmq2: sees a {alarm} alarm on {C}"]


# queues


@pytest.mark.parametrize(
    ("queue", "problems"),
    [
        (mirrored(state="down"), [f"queue q in / is down with leader {A}"]),
        (
            {name: value for name, value in quorum().items() if name != "state"},
            [f"queue q in /: nobody leads it, or its leader {A} has not spoken yet"],
        ),
        (
            {name: value for name, value in mirrored().items() if name != "state"},
            [f"queue q in /: nobody leads it, or its leader {A} has not spoken yet"],
        ),
        (quorum(leader="rabbit@gone"), ["queue q in / is running with leader rabbit@gone"]),
        (mirrored(synchronised_slave_nodes=[B]), [f"queue q in /: replicas on {C} not in sync"]),
        (quorum(online=[A]), [f"queue q in /: replicas on {B}, {C} not in sync"]),
        (mirrored(slave_nodes=[B], synchronised_slave_nodes=[B]), ["queue q in / has 2 replicas of 3"]),
        (quorum(members=[A], online=[A]), ["queue q in / has 1 replicas of 3"]),
        (
            mirrored(slave_nodes=[], effective_policy_definition={"ha-mode": "exactly", "ha-params": 2}),
            ["queue q in / has 1 replicas of 2"],
        ),
    ],
)
def test_a_queue_that_is_not_whole(
    world: World, steady: SteadyState, queue: dict[str, Any], problems: list[str]
) -> None:
    world.has_queue("q", **queue)

    assert steady.problems() == problems


@pytest.mark.parametrize(
    "queue",
    [
        mirrored(
            slave_nodes=[B],
            synchronised_slave_nodes=[B],
            effective_policy_definition={"ha-mode": "exactly", "ha-params": 2},
        ),
        mirrored(effective_policy_definition={"ha-mode": "exactly", "ha-params": 9}),
        quorum(members=[A], online=[A], arguments={"x-quorum-initial-group-size": 1}),
        mirrored(slave_nodes=[], effective_policy_definition=None, arguments=None),
    ],
)
def test_a_queue_with_as_many_replicas_as_it_asked_for(
    world: World, steady: SteadyState, queue: dict[str, Any]
) -> None:
    world.has_queue("q", **queue)

    assert steady.problems() == []


# metadata, the VIP, backends, links


def test_definitions_that_differ(world: World, steady: SteadyState) -> None:
    world.apis[1].exported = {"users": [{"name": "extra"}]}

    (problem,) = steady.problems()
    assert problem.startswith("definitions differ between nodes: rmq1 ")
    assert ", rmq2 " in problem


@pytest.mark.parametrize(("holders", "told"), [([], "0 holders: []"), (["lb1", "lb2"], "2 holders: ['lb1', 'lb2']")])
def test_not_exactly_one_holder(world: World, steady: SteadyState, holders: list[str], told: str) -> None:
    world.holders[:] = holders

    assert steady.problems() == [f"192.0.2.100 has {told}"]


def test_backends_that_are_not_up(world: World, steady: SteadyState) -> None:
    world.pages["lb1"].servers = {"amqp/rmq1": "UP", "amqp/rmq3": "DOWN", "amqp/rmq2": "MAINT"}
    world.pages["lb2"].servers = {}

    assert steady.problems() == ["lb1 has amqp/rmq2, amqp/rmq3 not UP", "lb2 has no backends"]


def test_a_link_that_is_still_cut_or_slowed(world: World, steady: SteadyState) -> None:
    first, second = world.links.all[:2]
    first.close()
    second.delay(100)

    assert steady.problems() == [f"link {first} is still cut or slowed", f"link {second} is still cut or slowed"]


# a look that fails


def test_a_node_that_does_not_answer_is_a_problem_and_no_error(world: World, steady: SteadyState) -> None:
    world.apis[1].mute = True

    assert steady.problems() == ["rmq2: ToolFailed: no answer", "ToolFailed: no answer"]


def test_nobody_answers(world: World, steady: SteadyState) -> None:
    for api in world.apis:
        api.mute = True

    problems = steady.problems()
    assert "ToolFailed: no broker's management API answers (asked rmq1, rmq2, rmq3)" in problems
    assert {"rmq1: ToolFailed: no answer", "rmq3: ToolFailed: no answer"} < set(problems)


def test_a_page_that_does_not_answer_is_a_problem(world: World, steady: SteadyState) -> None:
    world.pages["lb2"].servers = None

    assert steady.problems() == ["ToolFailed: no page"]


def test_a_key_that_is_missing_is_a_problem(world: World, steady: SteadyState) -> None:
    world.apis[0].found.append({"vhost": "/"})

    assert steady.problems() == ["KeyError: 'name'"]


def test_an_error_of_ours_is_no_problem_of_the_stack(
    world: World, steady: SteadyState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.apis[0], "queues", lambda: [None])

    with pytest.raises((TypeError, AttributeError)):
        steady.problems()


# waiting


@pytest.mark.parametrize("error", [StackNotUp, InvariantNotUpheld])
def test_the_wait_names_what_is_still_amiss(
    world: World, steady: SteadyState, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    Hands(stride=5).hold(monkeypatch, "steady")
    world.holders.clear()

    with pytest.raises(error, match=r"waited in vain for steady state after x .*192.0.2.100 has 0 holders"):
        steady.wait(within=seconds(20), error=error, what="steady state after x")


def test_the_wait_ends_when_all_is_whole(steady: SteadyState) -> None:
    steady.wait(within=seconds(0), error=StackNotUp, what="steady state")


def test_a_node_that_tells_nothing_of_partitions_yet_is_not_whole(world: World, steady: SteadyState) -> None:
    del world.apis[0].seen["rabbit@host2"]["partitions"]

    assert steady.problems() == ["rmq1: tells neither partitions nor alarms of rabbit@host2 yet"]


def test_a_dead_keepalived_on_the_balancer_without_the_vip_is_not_whole(world: World, steady: SteadyState) -> None:
    world.stopped.add(("lb2", "keepalived"))

    assert steady.problems() == ["keepalived does not run on lb2"]


def test_servers_that_haproxy_has_not_looked_at(world: World, steady: SteadyState) -> None:
    world.pages["lb2"].check = "INI"

    assert steady.problems() == ["lb2 has not looked at amqp/rmq1, amqp/rmq2 yet"]
