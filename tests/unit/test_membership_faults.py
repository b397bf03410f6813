"""A broker that leaves by reset and runs alone: how it is joined again, in which order, and that what did not grow is told."""

from __future__ import annotations

import json

import pytest

from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults import Fault
from pytest_rmqha.faults.membership import grow_replicas, join_by_hand, left_by_reset, running_by_itself
from pytest_rmqha.links import Link, each
from tests.unit.fakes import Answer, Hands, World

GROW = "rmq1: rabbitmq-queues grow rabbit@host3 all"
JOINED = ["stop_app", "join_cluster rabbit@host1", "start_app"]
ALONE = json.dumps({"running_nodes": ["rabbit@host3"]})
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
    return left_by_reset(world.cluster, world.links, leaver, through=world.nodes[0])


@pytest.fixture
def asked(world: World) -> list[str]:
    """What was asked of the broker's own ``rabbitmqctl``, exit codes looked at or not; nothing of the others'."""
    asked: list[str] = []
    says = world.containers.exec

    def exec_(service: str, *command: str, user: str = "") -> Answer:
        if command[0] == "rabbitmqctl":
            asked.append(" ".join(command[1:]))
        return says(service, *command)

    world.containers.exec = exec_  # type: ignore[method-assign]
    return asked


@pytest.fixture
def grow(world: World, leaver: Node) -> list[Answer]:
    """What each ``grow`` answers, the last one for ever; the broker is out and alone, and ``start_app`` brings it back."""
    answers = [Answer()]
    for api in world.apis:
        api.seen.pop(leaver.name)
    world.apis[2].mute = True

    def says(_service: str, command: tuple[str, ...]) -> Answer:
        if command[-1] == "start_app":
            world.apis[2].mute = False
            for api in world.apis:
                api.seen[leaver.name] = {"name": leaver.name, "running": True}
        if "cluster_status" in command:
            return Answer(out=ALONE)
        if "grow" in command:
            return answers.pop(0) if len(answers) > 1 else answers[0]
        return Answer()

    world.containers.says = says
    return answers


def test_it_is_joined_started_and_its_replicas_are_grown(
    world: World, fault: Fault, grow: list[Answer], asked: list[str]
) -> None:
    assert fault.in_effect()
    grow[:] = [Answer(out=f"{BANNER}{TABLE}/\tq\t3\tok\n/\terror: x\t3\tok\n")]

    fault.heal()

    assert (asked, world.containers.done[1:]) == (JOINED, [GROW])
    assert fault.is_gone()


def test_it_leaves_and_starts_behind_closed_links(world: World, fault: Fault) -> None:
    closed: list[bool] = []

    def says(_service: str, _command: tuple[str, ...]) -> Answer:
        closed.append(not any(world.proxies.enabled.get(p, True) for link in around(world) for p in link.proxies))
        return Answer()

    world.containers.says = says
    fault.inject()

    left = ["stop_app", "reset", "start_app", "suspend_listeners"]
    assert world.containers.done == [
        "rmq1: rabbitmq-queues shrink rabbit@host3",
        *(f"rmq3: rabbitmqctl {x}" for x in left),
    ]
    assert closed == [False, False, False, True, True]
    assert not fault.is_gone()


def around(world: World) -> tuple[Link, ...]:
    return world.links.around(world.nodes[2])


def test_it_is_joined_through_open_links(world: World, leaver: Node, grow: list[Answer]) -> None:
    each(around(world), Link.close)
    join_by_hand(world.links, leaver, through=world.nodes[0])
    assert all(link.is_clear() for link in around(world))


@pytest.mark.parametrize("running", [["rabbit@host1", "rabbit@host2", "rabbit@host3"], []])
def test_one_that_is_not_alone_has_not_left(world: World, fault: Fault, grow: list[Answer], running: list[str]) -> None:
    world.containers.says = lambda _service, _command: Answer(out=json.dumps({"running_nodes": running}))
    assert not fault.in_effect()


@pytest.mark.parametrize("out", ["", "Error: no", "{}"])
def test_one_that_does_not_tell_whom_it_has_running_is_a_failed_tool(world: World, leaver: Node, out: str) -> None:
    world.containers.says = lambda _service, _command: Answer(out=out)
    with pytest.raises(ToolFailed, match="rmq3 does not tell whom it has running"):
        running_by_itself(leaver)


@pytest.mark.parametrize("refused", ["stop_app", "join_cluster", "start_app"])
def test_a_join_that_is_refused_is_the_stacks_failure(world: World, leaver: Node, refused: str) -> None:
    world.containers.says = lambda _service, command: (
        Answer(code=69, err="Error: inconsistent_cluster") if refused in command else Answer()
    )
    with pytest.raises(InvariantNotUpheld, match=f"rabbitmqctl {refused}.* on rmq3 ended with 69: Error: inconsistent"):
        join_by_hand(world.links, leaver, through=world.nodes[0])


def test_replicas_that_do_not_grow_while_it_is_joined_are_the_stacks_failure(
    world: World, leaver: Node, grow: list[Answer]
) -> None:
    world.apis[0].seen[leaver.name] = {"name": leaver.name, "running": True}
    grow[:] = [Answer(out=OLD_ERROR)]
    with pytest.raises(InvariantNotUpheld, match=r"a replica of every quorum queue on rmq3.*cluster_change_not"):
        grow_replicas(leaver, world.nodes[0])


@pytest.mark.parametrize("out", ["", BANNER], ids=["nothing", "no-row"])
def test_queues_that_have_their_replica_are_passed_over(
    world: World, fault: Fault, grow: list[Answer], asked: list[str], out: str
) -> None:
    grow[:] = [Answer(out=out)]
    fault.heal()
    assert (asked, world.containers.done) == (JOINED, [GROW])


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
    assert world.containers.done == [GROW, GROW]


def test_healing_in_vain_joins_it_once(world: World, fault: Fault, grow: list[Answer], asked: list[str]) -> None:
    grow[:] = [Answer(code=1)]
    for _ in range(2):
        with pytest.raises(ToolFailed):
            fault.heal()
    assert asked == JOINED


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
