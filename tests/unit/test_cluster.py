"""The brokers' questions, asked of management answers that are typed by hand."""

from __future__ import annotations

import copy
import threading

import pytest

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, ToolFailed
from pytest_rmqha.replicas import Replicas
from pytest_rmqha.waiting import seconds
from tests.unit.fakes import Hands, World

A, B, C = "rabbit@host1", "rabbit@host2", "rabbit@host3"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    hands.hold(monkeypatch, "cluster")
    return hands


# replicas


def test_a_mirrored_queue_has_its_leader_among_its_members() -> None:
    payload = {"node": A, "slave_nodes": [B, C], "synchronised_slave_nodes": [B], "state": "running", "messages": 7}

    assert Replicas.of(payload) == Replicas(A, frozenset({A, B, C}), frozenset({A, B}), "running", 7)


def test_a_plain_classic_queue_has_one_replica() -> None:
    assert Replicas.of({"node": B, "messages": 0}) == Replicas(B, frozenset({B}), frozenset({B}), "running", 0)


def test_a_count_that_is_not_reported_is_not_zero() -> None:
    assert Replicas.of({"node": B}).messages is None


def test_a_quorum_queues_online_members_are_in_sync() -> None:
    payload = {"leader": C, "node": A, "members": [A, B, C], "online": [A, C], "state": "running", "messages": 1}

    assert Replicas.of(payload) == Replicas(C, frozenset({A, B, C}), frozenset({A, C}), "running", 1)


def test_a_quorum_queue_that_says_nothing_of_who_is_online_has_nobody_in_sync() -> None:
    assert Replicas.of({"leader": C, "members": [A, C]}).in_sync == frozenset()


def test_a_queue_without_a_leader_has_no_nameless_replica() -> None:
    lost = Replicas.of({"state": "down"})

    assert (lost.leader, lost.members, lost.in_sync, lost.state) == (None, frozenset(), frozenset(), "down")


# nodes


@pytest.mark.parametrize("name", ["rmq2", "host2", "rabbit@host2"])
def test_a_node_goes_by_three_names(world: World, name: str) -> None:
    assert world.cluster.node(name) is world.nodes[1]


def test_an_unknown_node_is_told_with_the_known_ones(world: World) -> None:
    with pytest.raises(ToolFailed, match="no broker is called 'rmq9'; there are rmq1, rmq2, rmq3"):
        world.cluster.node("rmq9")


def test_a_mute_node_does_not_answer(world: World) -> None:
    world.apis[0].mute = True

    assert [n.answers() for n in world.nodes] == [False, True, True]
    assert world.cluster.any_answering() == world.nodes[1]
    assert world.cluster.any_answering(excluded=[world.nodes[1]]) == world.nodes[2]


def test_when_nobody_answers_the_asked_ones_are_named(world: World) -> None:
    for api in world.apis:
        api.mute = True

    with pytest.raises(ToolFailed, match=r"answers \(asked rmq2, rmq3\)"):
        world.cluster.any_answering(excluded=[world.nodes[0]])


def test_the_leader_is_a_node(world: World) -> None:
    world.has_queue("q", node=B)
    world.has_queue("orphan")

    assert world.cluster.leader_of("q") == world.nodes[1]
    with pytest.raises(ToolFailed, match="orphan has no leader"):
        world.cluster.leader_of("orphan")


def test_at_once_is_at_the_same_time_and_raises_afterwards(world: World) -> None:
    all_there = threading.Barrier(3)
    did: list[str] = []

    def verb(node: Node) -> None:
        all_there.wait(timeout=2)
        if node == world.nodes[0]:
            raise ToolFailed("no rmq1")
        did.append(node.service)

    with pytest.raises(ToolFailed, match="no rmq1"):
        world.cluster.at_once(verb)
    assert sorted(did) == ["rmq2", "rmq3"]


def test_at_once_with_nobody_is_nobody(world: World) -> None:
    did: list[str] = []

    world.cluster.at_once(lambda node: did.append(node.service), [])

    assert did == []


# a new leader


def test_the_dead_leaders_successor_is_awaited_and_noted(world: World, hands: Hands) -> None:
    queue = world.has_queue("q", node=A, state="running")
    world.loses(world.nodes[0])

    def elect() -> None:
        if hands.at > 101:
            queue["node"] = C

    hands.then = elect
    leader = world.cluster.await_leader("q", other_than=world.nodes[0], within=seconds(5))

    assert leader == world.nodes[2]
    event = world.timeline.last("leader", "q")
    assert event is not None
    assert event.text == C


@pytest.mark.parametrize(
    ("leader", "state", "why"),
    [
        (A, "running", "it still names the old one"),
        (B, "down", "the queue does not run"),
        ("rabbit@gone", "running", "nobody sees that node"),
        (None, "running", "there is none"),
    ],
)
def test_what_is_no_new_leader(world: World, hands: Hands, leader: str | None, state: str, why: str) -> None:
    world.has_queue("q", node=leader, state=state)

    with pytest.raises(InvariantNotUpheld, match="a leader of q other than rmq1"):
        world.cluster.await_leader("q", other_than=world.nodes[0], within=seconds(1))
    assert world.timeline.last("leader") is None, why


def test_the_old_leader_is_not_asked_who_leads(world: World, hands: Hands) -> None:
    world.has_queue("q", node=B, state="running")
    world.apis[0].found = [{"name": "q", "vhost": "/", "node": A, "state": "running"}]

    assert world.cluster.await_leader("q", other_than=world.nodes[0], within=seconds(1)) == world.nodes[1]


# counts


def test_a_count_that_stays_is_settled(world: World, hands: Hands) -> None:
    world.has_queue("q", node=A, messages=12)

    assert world.cluster.settled_messages("q", world.nodes[0]) == 12
    assert 5.5 <= hands.at - 100 <= 6


def test_a_count_that_moves_is_settled_once_it_has_stayed(world: World, hands: Hands) -> None:
    queue = world.has_queue("q", node=A, messages=12)

    def grow() -> None:
        if hands.at == 104:
            queue["messages"] = 30

    hands.then = grow

    assert world.cluster.settled_messages("q", world.nodes[0]) == 30
    assert hands.at >= 104 + 5.5


def test_a_count_that_never_stays_is_not_settled(world: World, hands: Hands) -> None:
    queue = world.has_queue("q", node=A, messages=0)
    hands.then = lambda: queue.update(messages=queue["messages"] + 1)

    with pytest.raises(BudgetSpent, match="a settled count of q"):
        world.cluster.settled_messages("q", world.nodes[0])


def test_a_count_that_is_not_reported_is_not_settled(world: World, hands: Hands) -> None:
    queue = world.has_queue("q", node=A)

    def report() -> None:
        if hands.at > 110:
            queue["messages"] = 0

    hands.then = report

    assert world.cluster.settled_messages("q", world.nodes[0]) == 0
    assert hands.at >= 110 + 5.5


def test_exactly_so_many_messages_are_awaited(world: World, hands: Hands) -> None:
    world.has_queue("q", node=A, messages=3)

    world.cluster.await_messages("q", 3)
    with pytest.raises(BudgetSpent, match=r"2 messages in q.*last seen: 3"):
        world.cluster.await_messages("q", 2)


def test_synced_is_enough_copies_and_no_member_behind(world: World, hands: Hands) -> None:
    queue = world.has_queue("q", leader=A, members=[A, B, C], online=[A, B])

    with pytest.raises(BudgetSpent, match="2 replicas of q in sync"):
        world.cluster.await_synced("q", copies=2, within=seconds(1))
    queue["online"] = [A, B, C]
    assert world.cluster.await_synced("q", copies=3).in_sync == {A, B, C}


def test_members_are_awaited_in_sync_or_not(world: World, hands: Hands) -> None:
    world.has_queue("q", node=A, slave_nodes=[B], synchronised_slave_nodes=[])

    world.cluster.await_members("q", *world.nodes[:2])
    with pytest.raises(BudgetSpent, match="replicas of q on rmq2, rmq3"):
        world.cluster.await_members("q", *world.nodes[1:])


def test_rejoined_is_the_view_of_every_node(world: World, hands: Hands) -> None:
    world.cluster.await_rejoined(world.nodes[0])
    world.apis[2].seen[A]["running"] = False

    with pytest.raises(BudgetSpent, match="rmq1 back in the view of every node"):
        world.cluster.await_rejoined(world.nodes[0], within=seconds(1))


def test_clients_are_told_by_a_node_that_is_not_excluded(world: World) -> None:
    world.apis[1].connected = [{"client_properties": {"connection_name": "c.q"}, "node": C}, {"node": B}]

    assert world.cluster.clients(excluded=world.nodes[:1]) == {"c.q": C, "": B}


# what is written


def test_a_policy_is_written_with_dashes(world: World) -> None:
    world.cluster.policy("p", "^q$", ha_mode="exactly", ha_params=2)

    assert world.apis[0].wrote == [("policy", "/", "p", "^q$", {"ha-mode": "exactly", "ha-params": 2})]


def test_a_queue_asks_for_its_home_itself_in_the_words_of_its_type(world: World, hands: Hands) -> None:
    world.has_queue("q", node=B)

    world.cluster.declare("q", home=world.nodes[1])
    world.cluster.declare("q", home=world.nodes[1], x_queue_type="quorum")

    assert world.apis[1].wrote == [
        ("queue", "/", "q", {"x-queue-master-locator": "client-local"}, B),
        ("queue", "/", "q", {"x-queue-type": "quorum", "x-queue-leader-locator": "client-local"}, B),
    ]


def test_a_queue_that_is_led_elsewhere_is_not_declared(world: World, hands: Hands) -> None:
    world.has_queue("q", node=A)

    with pytest.raises(BudgetSpent, match="q led by rmq2"):
        world.cluster.declare("q", home=world.nodes[1])


# definitions


EXPORT = {
    "rabbit_version": "3.10.8",
    "users": [{"name": "a", "tags": "x"}, {"name": "b", "tags": "y"}],
    "policies": [{"name": "p", "definition": {"ha-mode": "all", "ha-sync-mode": "automatic"}}],
    "global_parameters": {"k": 1},
}


def digests(world: World) -> set[str]:
    return {world.cluster.definitions_digest(node) for node in world.nodes}


def test_versions_and_the_order_of_lists_and_keys_make_no_difference(world: World) -> None:
    world.apis[0].exported = EXPORT
    world.apis[1].exported = {**EXPORT, "rabbit_version": "3.10.9", "product_name": "Other", "product_version": "9"}
    world.apis[2].exported = {
        "rabbitmq_definition_format": "cluster",
        "global_parameters": {"k": 1},
        "policies": [{"definition": {"ha-sync-mode": "automatic", "ha-mode": "all"}, "name": "p"}],
        "users": list(reversed(EXPORT["users"])),  # type: ignore[call-overload]
    }

    assert len(digests(world)) == 1


def test_anything_else_does(world: World) -> None:
    changed = copy.deepcopy(EXPORT)
    changed["policies"][0]["definition"]["ha-mode"] = "exactly"  # type: ignore[index]
    world.apis[0].exported = EXPORT
    world.apis[1].exported = changed
    world.apis[2].exported = {**EXPORT, "bindings": []}

    assert len(digests(world)) == 3


def test_a_scenarios_cluster_looks_into_its_own_vhost(world: World) -> None:
    world.has_queue("q", node=A, messages=1)
    world.has_queue("q", vhost="mine", node=B, messages=2)

    assert Cluster(world.nodes, world.timeline, "mine").replicas("q").messages == 2
