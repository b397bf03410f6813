"""What is seen of logins, pages and logs, and which id judges it: a play that sees something slow does not raise."""

from __future__ import annotations

import functools
import importlib
import math
import socketserver
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha import waiting
from pytest_rmqha.checkers.verdict import Outcome
from pytest_rmqha.errors import ToolFailed
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Answer, Hands, World


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch, hands: Hands) -> Callable[[str], Any]:
    """A module of the suites whose waits pass on ``hands``."""
    monkeypatch.syspath_prepend(str(SUITES))

    def imported(name: str) -> Any:
        module = importlib.import_module(name)
        if name.startswith("plays."):
            patched = functools.partial(waiting.await_match, clock=hands.now, sleep=hands.sleep)
            monkeypatch.setattr(module, "await_match", patched)
            monkeypatch.setattr(module, "clock", SimpleNamespace(now=hands.now), raising=False)
        return module

    return imported


def stage_where(hands: Hands, answers: Callable[[int], str]) -> Any:
    """A stage whose logins are numbered from 1; each takes a second."""
    tries = iter(range(1, 10_000))

    def name() -> str:
        hands.at += 1
        return answers(next(tries))

    return SimpleNamespace(name_through_the_vip=name, vip=SimpleNamespace(address="192.0.2.100"))


def served(_: int) -> str:
    return "prod"


def refused(_: int) -> str:
    raise ToolFailed("no answer")


def one_of_three_is_dead(number: int) -> str:
    return refused(number) if number % 3 == 0 else "prod"


def the_dead_one_is_marked_down_in_time(number: int) -> str:
    return refused(number) if number in (2, 5) else "prod"


# a row of logins


@pytest.mark.parametrize(
    ("answers", "after"),
    [(served, 1.0), (the_dead_one_is_marked_down_in_time, 6.5), (one_of_three_is_dead, math.inf), (refused, math.inf)],
)
def test_one_login_among_failed_ones_is_luck(
    suite: Any, hands: Hands, monkeypatch: pytest.MonkeyPatch, answers: Any, after: float
) -> None:
    logins = suite("plays.logins")
    monkeypatch.setattr(logins, "is_the_managements", lambda *_: True)

    login = logins.logged_in(stage_where(hands, answers), since=hands.at)

    assert login.after == pytest.approx(after, abs=0.1)
    assert login.worked == login.page == (after < math.inf)
    assert login.names == (frozenset({"prod"}) if login.worked else frozenset())
    assert login.worked or "no answer" in login.why


def test_a_page_that_nobody_serves_is_a_value(suite: Any, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    logins = suite("plays.logins")

    def nobody(*_: Any) -> bool:
        raise OSError("refused")

    monkeypatch.setattr(logins, "is_the_managements", nobody)

    login = logins.logged_in(stage_where(hands, served), since=hands.at)

    assert login.worked and not login.page


class Answers(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(self.server.answer)  # type: ignore[attr-defined]


@pytest.fixture
def serving() -> Iterator[Callable[[bytes], int]]:
    servers: list[Any] = []

    def serve(answer: bytes) -> int:
        server: Any = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers)
        server.answer = answer
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("answer", "is_it"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n<title>RabbitMQ Management</title>", True),
        (b"HTTP/1.0 200 OK\r\n\r\n<title>Welcome to nginx!</title>", False),
        (b"HTTP/1.0 503 Service Unavailable\r\n\r\nRabbitMQ", False),
    ],
)
def test_the_page_is_the_managements(suite: Any, serving: Any, answer: bytes, is_it: bool) -> None:
    assert suite("plays.logins").is_the_managements("127.0.0.1", serving(answer)) is is_it


# V19 judges logins


def outcomes(suite: Any, **logins: Any) -> list[bool]:
    judged = suite("test_7_onlookers").the_management_follows_the_vip(logins, frozenset({"prod"}), "")
    return [verdict.outcome is Outcome.HELD for verdict in judged]


def test_a_row_at_every_moment_is_held(suite: Any) -> None:
    login = suite("plays.logins").Login(0.3, frozenset({"prod"}), True)

    assert outcomes(suite, before=login, dead=login) == [True, True, True]


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"after": math.inf, "names": frozenset(), "page": False, "why": "NoAnswer"}, [False, True, True]),
        ({"page": False}, [True, False, True]),
        ({"names": frozenset({"elsewhere", "prod"})}, [True, True, False]),
    ],
)
def test_each_thing_that_is_missing_is_broken(suite: Any, changes: dict[str, Any], held: list[bool]) -> None:
    login = suite("plays.logins").Login
    prod = frozenset({"prod"})
    wrong = login(**{"after": 0.3, "names": prod, "page": True, **changes})

    assert outcomes(suite, before=login(0.3, prod, True), dead=wrong) == held


def test_sessions_that_are_missing_or_out_of_order_are_two_things(suite: Any) -> None:
    logged = suite("plays.logged_sessions").Logged
    judged = suite("test_7_onlookers").each_session_is_logged

    def held(**sessions: Any) -> list[bool]:
        return [verdict.outcome is Outcome.HELD for verdict in judged(sessions)]

    assert held(lb1=logged(9, (), ()), lb2=logged(9, (), ())) == [True, True]
    assert held(lb1=logged(9, ("prober at +1.0 s",), ()), lb2=logged(9, (), ())) == [False, True]
    assert held(lb1=logged(9, (), ()), lb2=logged(9, (), ("one behind",))) == [True, False]


# pages and the broker that died


def test_a_page_that_is_late_is_told_and_not_raised(suite: Any, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    views, world = suite("plays.views"), World()
    monkeypatch.setattr(views, "_serves", lambda node: node.service != "rmq2")
    began = hands.at

    pages, serving = views._pages(SimpleNamespace(cluster=world.cluster), world.balancers)

    assert serving == {"rmq1": True, "rmq2": False, "rmq3": True}
    assert pages["lb1"]["rmq2"] == {"UP"}
    assert hands.at - began == pytest.approx(15.0)


def test_a_short_lived_name_waits_no_longer_than_its_monitor(suite: Any, hands: Hands) -> None:
    ways, world = suite("plays.ways_back"), World()
    stage, began = SimpleNamespace(balancers=world.balancers), hands.at
    world.pages["lb1"].servers = {"amqp/rmq1": "UP", "amqp/rmq2": "DOWN"}

    assert ways._await_down(stage, world.nodes[1]) is False
    assert hands.at - began == pytest.approx(8.0)

    world.pages["lb2"].servers = None
    assert ways._await_down(stage, world.nodes[1]) is False, "a page that does not answer says nothing"

    world.pages["lb2"].servers = {"amqp/rmq1": "UP", "amqp/rmq2": "DOWN"}
    assert ways._await_down(stage, world.nodes[1]) is True


def test_who_does_not_come_back_never_does(suite: Any) -> None:
    ways, event = suite("plays.ways_back"), SimpleNamespace(kind="client", text="first_confirm", subject="a", at=5.0)

    found = ways._await_events(SimpleNamespace(events=(event,)), "first_confirm", ("a", "b"), 1.0)

    assert found == {"a": 5.0, "b": math.inf}


@pytest.mark.parametrize(("consumers", "seen"), [(3, 3), (4, 4)])
def test_consumers_are_counted_whatever_they_are(suite: Any, consumers: int, seen: int) -> None:
    ways, world = suite("plays.ways_back"), World()
    world.has_queue(ways.QUEUE, consumers=consumers)

    assert ways._await_consumers(world.cluster, 3) == seen


# subscriptions that a VIP leaves behind


@pytest.mark.parametrize(("goes_after", "count", "took"), [(12.0, 1, 22.5), (math.inf, 2, 38.5)])
def test_a_zombie_is_waited_for_as_long_as_its_heartbeats_may_take(
    suite: Any, hands: Hands, goes_after: float, count: int, took: float
) -> None:
    left_behind, world = suite("plays.left_behind"), World()
    queue, began = world.has_queue("ha.load", consumers=2), hands.at
    world.has_queue("quorum.load")

    def passes() -> None:
        queue["consumers"] = 1 + int(hands.at - began < goes_after)

    hands.then = passes
    stage = SimpleNamespace(cluster=world.cluster)

    seen = left_behind._settled(stage, ("ha.load", "quorum.load"), 1)
    assert seen == count
    assert hands.at - began == pytest.approx(took, abs=0.6)


def test_an_old_row_that_tells_what_was_before_is_not_the_end_of_a_zombie(suite: Any, hands: Hands) -> None:
    left_behind, world = suite("plays.left_behind"), World()
    queue, began = world.has_queue("ha.load", consumers=1), hands.at
    world.has_queue("quorum.load")

    def passes() -> None:
        queue["consumers"] = 2 if 5 <= hands.at - began < 15 else 1

    hands.then = passes

    assert left_behind._settled(SimpleNamespace(cluster=world.cluster), ("ha.load", "quorum.load"), 1) == 1
    assert hands.at - began == pytest.approx(25.5, abs=0.6)


def test_a_configuration_without_a_notify_script_has_no_notices(suite: Any) -> None:
    views, world = suite("plays.views"), World()
    asked: list[tuple[str, ...]] = []

    def says(_: str, command: tuple[str, ...]) -> Answer:
        asked.append(command)
        return Answer(code=1)

    world.containers.says = says

    assert views._noticed(world.balancers[0], 0.0) == ()
    assert asked == [("test", "-e", "/var/log/keepalived/notify.log")]
