"""The contract of ``BackendStates``, held by one haproxy's own page and by the fake of the unit tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pytest_rmqha.adapters.engine import FileToPut
from pytest_rmqha.adapters.haproxy import StatisticsPage
from pytest_rmqha.clock import now
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.outside import BackendStates
from pytest_rmqha.waiting import await_match, seconds
from tests.contract.small_run import SmallRun
from tests.unit.fakes import FakePage

IT = "haproxy"
TIMEOUT = 1.0
CONFIGURATION = b"""
global
    maxconn 100

defaults
    mode tcp
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    option socket-stats

frontend amqp
    bind 0.0.0.0:5672 name of-all
    default_backend brokers

backend brokers
    default-server inter 200ms fall 1 rise 1
    server well 127.0.0.1:8888 check
    server dead 127.0.0.1:9 check

frontend statistics
    mode http
    bind 0.0.0.0:8888
    stats enable
    stats uri /haproxy-stats
    stats auth "stats:secret"
"""


@dataclass(frozen=True)
class Side:
    """One balancer with a server that is well and one that is dead; ``silence`` by freezing or by killing it."""

    page: BackendStates
    freeze: Callable[[], object]
    kill: Callable[[], object]
    revive: Callable[[], object]


def of_the_fake() -> Side:
    fake = FakePage()
    servers = {"brokers/well": "UP", "brokers/dead": "DOWN"}
    fake.servers = servers

    def silence() -> None:
        fake.servers = None

    def revive() -> None:
        fake.servers = servers

    return Side(fake, silence, silence, revive)


@pytest.fixture(scope="module")
def balancer(small_run: SmallRun) -> Iterator[Side]:
    address = small_run.member(
        IT,
        "balancer",
        *("-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"),
        entrypoint=["/usr/sbin/haproxy"],
        files=[FileToPut("/etc/haproxy/haproxy.cfg", CONFIGURATION)],
    )
    engine = small_run.engine

    def revive() -> None:
        engine.unpause(IT)
        engine.start(IT)

    page = StatisticsPage(address, "stats", "secret", timeout=TIMEOUT)
    yield Side(page, lambda: engine.pause(IT), lambda: engine.kill(IT), revive)
    small_run.remove(IT)


@pytest.fixture(params=["fake", "real"])
def side(request: pytest.FixtureRequest) -> Side:
    """Checked at least once: what is dead is seen dead."""
    if request.param == "fake":
        return of_the_fake()
    chosen: Side = request.getfixturevalue("balancer")
    chosen.revive()
    await_match(
        chosen.page.states,
        lambda states: states.get("brokers/dead") == "DOWN" and states.get("brokers/well") == "UP",
        what="the checks' first results",
        within=seconds(10),
        ignore=(ToolFailed,),
        every=0.1,
    )
    return chosen


def test_servers_are_named_by_backend_and_nothing_else_is_one(side: Side) -> None:
    assert side.page.states() == {"brokers/well": "UP", "brokers/dead": "DOWN"}


def test_checks_say_of_the_same_servers_how_they_ended(side: Side) -> None:
    checks = side.page.checks()
    assert checks.keys() == side.page.states().keys()
    assert checks["brokers/well"].endswith("OK")
    assert not checks["brokers/dead"].endswith("OK")


@pytest.mark.parametrize("silence", ["freeze", "kill"])
def test_a_balancer_that_does_not_answer_is_a_tool_failure_within_the_time_out(side: Side, silence: str) -> None:
    before = side.page.states()
    getattr(side, silence)()
    try:
        for ask in (side.page.states, side.page.checks):
            began = now()
            with pytest.raises(ToolFailed):
                ask()
            assert now() - began < 2 * TIMEOUT + 0.5
    finally:
        side.revive()
    await_match(
        side.page.states, lambda s: s == before, what="the same states", within=seconds(10), ignore=(ToolFailed,)
    )
