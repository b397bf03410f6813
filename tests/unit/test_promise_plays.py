"""The parts of the promises that need no stack: whose queues are theirs, what is missing, which door is open."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.gate.scenarios import SUITES
from tests.unit.fakes import World

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
    one = make("v", "a", "classic", {"x-max-length": 5}, "ha", None)

    assert one.kind == make("v", "b", "classic", {}, "ha", None).kind
    assert one.kind != make("v", "a", "classic", {}, "", None).kind
    assert one.kind != make("v", "a", "classic", {"x-queue-mode": "lazy"}, "ha", None).kind


def test_what_is_declared_and_not_there_is_named(play: Any) -> None:
    world = World()
    world.apis[0].put_vhost("orders")
    world.has_queue("ha.orders", vhost="orders", durable=True)
    body = {
        "vhosts": [{"name": "orders"}],
        "users": [{"name": "app", "password_hash": "x"}],
        "queues": [{"name": "ha.orders", "vhost": "orders", "durable": False}],
    }

    missing = list(play("declared")._missing([body], world.nodes[0]))

    assert missing == ["users: name app", "queues: name ha.orders, vhost orders, durable False"]


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
