"""The parts of the promises that need no stack: whose queues are theirs, what is missing, which door is open."""

from __future__ import annotations

import importlib
import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha.errors import NoVerdict
from tests.gate.scenarios import SUITES
from tests.unit.fakes import FakeClient, World

A, B, C = "rabbit@host1", "rabbit@host2", "rabbit@host3"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return lambda name: importlib.import_module(f"plays.{name}")


def test_theirs_are_durable_shared_queues_outside_of_our_vhosts(play: Any) -> None:
    world = World()
    common = {"durable": True, "type": "quorum", "leader": A, "members": [A, B, C], "online": [A, B]}
    world.has_queue("q", vhost="orders", **common)
    world.has_queue("ours", vhost="rmqha.scenario", **common)
    world.has_queue("owned", vhost="orders", **{**common, "exclusive": True})
    world.has_queue("fleeting", vhost="orders", **{**common, "durable": False})

    (queue,) = play("theirs").their_queues(world.cluster)

    assert (queue.name, queue.needs(3), queue.needs(1)) == ("q", 3, 1)
    assert queue.replicas.in_sync == {A, B}


@pytest.mark.parametrize(("kind", "needs"), [("classic", 2), ("quorum", 3), ("stream", 3)])
def test_a_queue_needs_what_survives_its_home(play: Any, kind: str, needs: int) -> None:
    queue = play("theirs").Queue("v", "q", kind, {}, "", None)

    assert queue.needs(5) == needs


def test_queues_of_one_kind_differ_in_name_and_limits_only(play: Any) -> None:
    make = play("theirs").Queue
    ha, limit = {"ha-mode": "all"}, {"max-length": 5}
    one = make("v", "a", "classic", {"x-max-length": 5}, "ha", None, ha)

    assert one.kind == make("v", "b", "classic", {}, "ha", None, ha).kind
    assert one.kind == make("elsewhere", "b", "classic", {}, "mirrors", None, ha | limit).kind
    assert one.kind != make("v", "a", "classic", {}, "ha", None, ha | {"ha-sync-mode": "automatic"}).kind
    assert one.kind != make("v", "a", "classic", {}, "", None).kind
    assert one.kind != make("v", "a", "classic", {"x-queue-mode": "lazy"}, "ha", None, ha).kind


def queues(play: Any, *specs: str) -> list[Any]:
    """``vhost/name:type`` or ``vhost/name:type:policy``; a policy's name is its ha-mode, too."""
    made = []
    for spec in specs:
        vhost, _, rest = spec.partition("/")
        name, kind, *policy = rest.split(":")
        arguments = {} if kind == "classic" else {"x-queue-type": kind}
        in_force = {"ha-mode": policy[0]} if policy else {}
        made.append(play("theirs").Queue(vhost, name, kind, arguments, "".join(policy), None, in_force))
    return made


@pytest.mark.parametrize(
    ("declared", "stood_for", "not_tried"),
    [
        ([], [], []),
        (["o/a:classic", "o/b:quorum"], ["a", "b"], []),
        (["o/a:classic", "o/b:classic"], ["a"], []),
        (["o/a:classic", "o/b:classic:ha"], ["a", "b"], []),
        (["o/events:stream"], [], ["events"]),
        (["o/events:stream", "o/more:stream", "p/a:quorum"], ["a"], ["events", "more"]),
        (["o/a:quorum", "p/b:quorum", "p/c:classic"], ["a", "c"], []),
        (["o/a:quorum", "p/b:classic:manual", "p/c:classic:manual"], ["a", "b"], []),
        ([f"o/{name}:classic:{name}" for name in "abcdefghijklmn"], list("abcdefghijkl"), ["m", "n"]),
        ([*(f"o/{name}:classic:{name}" for name in "abcdefghijklm"), "p/z:classic:m"], list("abcdefghijkm"), ["l"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_kind_has_a_stand_in_or_is_named_as_not_tried(
    play: Any, declared: list[str], stood_for: list[str], not_tried: list[str]
) -> None:
    theirs = play("theirs")
    made = queues(play, *declared)
    chosen = theirs.chosen(made, C)

    assert sorted(queue.name for queue in chosen) == stood_for
    assert [queue.name for queue in theirs.without_stand_in(made, chosen)] == not_tried


def test_only_what_could_have_a_stand_in_is_left_open(play: Any) -> None:
    left = play("theirs").beyond_the_most(queues(play, "o/a:classic", "o/b:stream", "o/c:quorum"))

    assert [queue.name for queue in left] == ["a", "c"]


def test_a_stand_in_has_what_is_in_force_of_their_policies_whatever_vhost_they_are_in(play: Any) -> None:
    world = World()
    made = play("theirs").stand_ins(
        SimpleNamespace(cluster=world.cluster), queues(play, "o/a:classic:all", "p/a:quorum"), home=world.nodes[2]
    )

    assert {name: queue.vhost for name, queue in made.items()} == {"a": "o", "a.1": "p"}
    wrote = [what for api in world.apis for what in api.wrote]
    assert [what for what in wrote if what[0] == "policy"] == [("policy", "/", "for-a", "^a$", {"ha-mode": "all"})]
    assert ("queue", "/", "a.1", {"x-queue-type": "quorum", "x-queue-leader-locator": "client-local"}, C) in wrote


@pytest.mark.parametrize(
    ("declared", "fleeting", "said"),
    [
        ([], 0, "the configuration declares no durable queue: name the queues in definitions.json"),
        ([], 2, "no durable queue (2 that are not durable die with their broker by design): name the queues"),
        (
            ["o/events:stream"],
            1,
            "events (stream, vhost o, policy none): the load here is for classic and quorum queues",
        ),
        ([f"o/{n}:stream" for n in range(5)], 0, "2 (stream, vhost o, policy none) and 2 more: the load here is for"),
    ],
)
def test_why_nothing_stands_for_their_queues_is_said(play: Any, declared: list[str], fleeting: int, said: str) -> None:
    assert said in play("theirs").why_none(queues(play, *declared), fleeting)


def test_queues_that_are_not_durable_are_counted(play: Any) -> None:
    world = World()
    for name, vhost, durable in (("a", "orders", True), ("b", "orders", False), ("c", "rmqha.scenario", False)):
        world.has_queue(name, vhost=vhost, durable=durable)

    assert play("theirs").fleeting_queues(world.cluster) == 1


class Killing:
    """A stage as far as the kill of a home asks; what is declared and published is kept."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
        self.world, self.cluster = world, world.cluster
        self.leader = ""
        self.made: list[tuple[str, str]] = []
        self.loaded: tuple[str, ...] = ()
        self.chaos = SimpleNamespace(inject=lambda _: nullcontext())
        self.wire = FakeClient()
        for name, answer in (("_led_by_another", {}), ("_last", 24), ("_progress", True), ("killed", None)):
            monkeypatch.setattr(module, name, lambda *_, answer=answer, **__: answer)

    def quorum(self, name: str, *, home: Any) -> str:
        self.made.append((name, str(home)))
        self.world.has_queue(name, vhost="/", durable=True, type="quorum", leader=self.leader or home.name, members=[C])
        return name

    def workload(self, *names: str, rate: int) -> Any:
        self.loaded = names
        return SimpleNamespace(
            prepare=lambda: None,
            wire=self.wire,
            stream_of=lambda queue: f"p.{queue}",
            await_progress=lambda **_: None,
            collect=lambda: "history",
        )


@pytest.mark.parametrize("kind", ["stream", None])
def test_without_stand_ins_the_brokers_carry_a_queue_of_ours(
    play: Any, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    world = World()
    if kind:
        world.has_queue("events", vhost="orders", durable=True, type=kind)
    stage = Killing(world, monkeypatch, play("promises_brokers"))

    seen = play("promises_brokers").the_home_of_queues_like_theirs_is_killed(stage)

    assert stage.made == [("ours.load", "rmq3")] and stage.loaded == ("ours.load",)
    assert [asked["queue"] for asked in stage.wire.arguments("publish")] == ["ours.load"]
    assert not seen.queues and seen.why_none
    assert [queue.name for queue in seen.untried] == (["events"] if kind else [])


def test_a_kill_of_a_broker_that_leads_nothing_of_theirs_gives_no_verdict(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Killing(World(), monkeypatch, play("promises_brokers"))
    stage.leader = A

    with pytest.raises(NoVerdict, match=f"rmq3 is not the home of its stand-ins, .*'ours.load': '{A}'"):
        play("promises_brokers").the_home_of_queues_like_theirs_is_killed(stage)


def test_queues_that_a_policy_keeps_on_some_nodes_have_their_home_there(play: Any) -> None:
    theirs, nodes = play("theirs"), World().nodes

    def on(*names: str) -> Any:
        in_force = {"ha-mode": "nodes", "ha-params": list(names)} if names else {"ha-mode": "all"}
        return theirs.Queue("o", "q", "classic", {}, "ha", None, in_force)

    assert theirs.home_of_most([], nodes) is nodes[2]
    assert theirs.home_of_most([on(), on(A, C)], nodes) is nodes[2]
    assert theirs.home_of_most([on(), on(A, B)], nodes) is nodes[1]
    assert theirs.home_of_most([on(A), on(A, B), on()], nodes) is nodes[0]
    apart = [on(A), on(B, C)]
    assert theirs.chosen(apart, A) == (apart[0],)
    assert theirs.beyond_the_most(theirs.without_stand_in(apart, theirs.chosen(apart, A))) == (apart[1],)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("server rmq1 198.18.40.40:5672 check slowstart 30s", 30.0),
        ("default-server slowstart 1m inter 2s", 60.0),
        ("server rmq1 198.18.40.40:5672 slowstart 500", 0.5),
        ("# slowstart 30s", 0.0),
        ("server rmq1 198.18.40.40:5672 check", 0.0),
    ],
)
def test_the_spread_is_looked_at_when_a_returned_server_has_its_whole_weight(
    play: Any, text: str, seconds: float
) -> None:
    assert play("views").slowstart(["frontend amqp", text]) == seconds


def test_what_is_declared_and_not_there_is_named(play: Any) -> None:
    world = World()
    world.apis[0].put_vhost("orders")
    world.has_queue("ha.orders", vhost="orders", durable=True)
    body = {
        "vhosts": [{"name": "orders"}],
        "users": [{"name": "app", "password_hash": "x"}],
        "queues": [{"name": "ha.orders", "vhost": "orders", "durable": False}],
    }

    text = json.dumps(body, indent=1)
    place = {name: text.splitlines().index(f'   "name": "{name}",') + 1 for name in ("app", "ha.orders")}
    declares = play("declared").Declares(Path("/mine/definitions.json"), text)

    missing = list(play("declared")._missing([declares], world.nodes[0]))

    assert missing == [
        f"users: name app (/mine/definitions.json:{place['app']})",
        f"queues: name ha.orders, vhost orders, durable False (/mine/definitions.json:{place['ha.orders']})",
    ]


def test_the_place_of_what_is_declared_is_in_its_section_and_on_its_line(play: Any) -> None:
    lines = (
        '{"vhosts": [{"name": "app"}],',
        ' "users": [{"name": "app"}],',
        ' "queues": [{"name": "q", "vhost": "/"},',
        '            {"name": "q", "vhost": "app"}]}',
    )
    declares = play("declared").Declares(Path("d.json"), "\n".join(lines))

    assert declares.place_of("users", ["app"]) == "d.json:2"
    assert declares.place_of("queues", ["q", "app"]) == "d.json:4"
    assert declares.place_of("queues", ["q", "/"]) == "d.json:3"
    assert declares.place_of("queues", ["none"]) == "d.json"


@pytest.mark.parametrize(
    ("url", "user", "code", "statistics", "said"),
    [
        ("http://v:8888/haproxy-stats", "", 200, True, "open to all"),
        ("http://v:8888/haproxy-stats", "", 401, False, ""),
        ("http://v:15672/api/whoami", "guest:guest", 200, False, "guest logs in"),
        ("http://v:15672/api/whoami", "guest:guest", 401, False, ""),
        ("http://v:15672/api/overview", "", 200, False, "open to all"),
        ("http://v:15672/", "", 200, False, ""),
        ("http://v:8080/", "", 200, False, ""),
    ],
)
def test_a_door_is_open_when_it_lets_a_stranger_in(
    play: Any, url: str, user: str, code: int, statistics: bool, said: str
) -> None:
    sentence = play("promises_in_peace")._sentence(url, user, code, statistics)

    assert said in sentence if said else sentence == ""
