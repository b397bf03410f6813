"""A broker that leaves by reset: what heals it, in which order, and that replicas which did not grow are told."""

from __future__ import annotations

import pytest

from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.faults import Fault
from pytest_rmqha.faults.membership import left_by_reset
from tests.unit.fakes import Answer, Hands, World

GROW = "rmq1: rabbitmq-queues grow rabbit@host3 all"
JOINED = ["rmq3: rabbitmqctl join_cluster rabbit@host1", "rmq3: rabbitmqctl start_app"]
BANNER = "Growing all quorum queues on rabbit@host3...\n"
TABLE = "vhost\tname\tsize\tresult\n"
OLD_ERROR = f"{BANNER}error: cluster_change_not_permitted{TABLE}/\tq\t2\tok\n"
NEW_ERROR = f"{BANNER}{TABLE}/\tp\t3\tok\n/\tq\t2\terror: cluster_change_not_permitted\n"
TIMED_OUT = f"{BANNER}{TABLE}/\tq\t?\terror: the operation timed out and may not have been completed\n"


@pytest.fixture(autouse=True)
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands(stride=5)
    hands.hold(monkeypatch, "faults.membership")
    return hands


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def leaver(world: World) -> Node:
    return world.nodes[2]


@pytest.fixture
def fault(world: World, leaver: Node) -> Fault:
    return left_by_reset(world.cluster, leaver, through=world.nodes[0])


@pytest.fixture
def grow(world: World, leaver: Node) -> list[Answer]:
    """What each ``grow`` answers, the last one for ever; the broker is out, and ``start_app`` brings it back."""
    answers = [Answer()]
    for api in world.apis:
        api.seen.pop(leaver.name)
    world.apis[2].mute = True

    def says(_service: str, command: tuple[str, ...]) -> Answer:
        if command[-1] == "start_app":
            world.apis[2].mute = False
            for api in world.apis:
                api.seen[leaver.name] = {"name": leaver.name, "running": True}
        if "grow" in command:
            return answers.pop(0) if len(answers) > 1 else answers[0]
        return Answer()

    world.containers.says = says
    return answers


def test_it_is_joined_started_and_its_replicas_are_grown(world: World, fault: Fault, grow: list[Answer]) -> None:
    assert fault.in_effect()
    grow[:] = [Answer(out=f"{BANNER}{TABLE}/\tq\t3\tok\n/\terror: x\t3\tok\n")]

    fault.heal()

    assert world.containers.done == [*JOINED, GROW]
    assert fault.is_gone()


@pytest.mark.parametrize("out", ["", BANNER], ids=["nothing", "no-row"])
def test_queues_that_have_their_replica_are_passed_over(
    world: World, fault: Fault, grow: list[Answer], out: str
) -> None:
    grow[:] = [Answer(out=out)]
    fault.heal()
    assert world.containers.done == [*JOINED, GROW]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            Answer(code=69, err="Error: unable to perform an operation on node"),
            "ended with 69: Error: unable to perform",
        ),
        (Answer(out=OLD_ERROR), "error: cluster_change_not_permitted"),
        (Answer(out=NEW_ERROR), "q\t2\terror: cluster_change_not_permitted"),
        (Answer(out=TIMED_OUT), "the operation timed out"),
    ],
    ids=["exit-code", "line-3.10", "row", "time-out"],
)
def test_replicas_that_do_not_grow_are_ours_and_told(
    world: World, fault: Fault, grow: list[Answer], answer: Answer, said: str
) -> None:
    grow[:] = [answer]
    with pytest.raises(ToolFailed, match="a replica of every quorum queue on rmq3") as caught:
        fault.heal()
    assert said in str(caught.value)
    assert world.containers.done.count(GROW) > 1, "a change of members may be refused for a moment"


def test_what_was_refused_for_a_moment_is_grown_then(world: World, fault: Fault, grow: list[Answer]) -> None:
    grow[:] = [Answer(out=OLD_ERROR), Answer()]
    fault.heal()
    assert world.containers.done == [*JOINED, GROW, GROW]


def test_healing_in_vain_is_not_healed_by_saying_it_again(world: World, fault: Fault, grow: list[Answer]) -> None:
    grow[:] = [Answer(code=1)]
    for _ in range(2):
        with pytest.raises(ToolFailed):
            fault.heal()
    assert [done for done in world.containers.done if done != GROW] == JOINED


def test_it_is_not_grown_before_it_is_seen_running(world: World, leaver: Node, fault: Fault, hands: Hands) -> None:
    """``grow`` would pass over every queue, and say nothing of it."""
    world.apis[0].seen[leaver.name]["running"] = False
    hands.then = lambda: world.finds(leaver)

    fault.heal()

    assert world.containers.done == [GROW]
    assert hands.at > 100


def test_it_is_not_gone_while_a_quorum_queue_has_no_replica_there(world: World, fault: Fault) -> None:
    world.has_queue("classic", node="rabbit@host1")
    queue = world.has_queue("q", type="quorum", leader="rabbit@host1", members=["rabbit@host1", "rabbit@host2"])
    assert not fault.is_gone()
    queue["members"].append("rabbit@host3")
    assert fault.is_gone()
