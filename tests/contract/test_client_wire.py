"""The contract of ``ClientWire``, held by the load client in its container and by the fake of the unit tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_rmqha.adapters.wire import Wire
from pytest_rmqha.client.session import PROTOCOL
from pytest_rmqha.clock import now
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.outside import ClientWire
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from tests.contract.small_run import SmallRun
from tests.unit.fakes import FakeClient

IT = "client"
TEN = seconds(10)


@dataclass(frozen=True)
class Side:
    """A client that was just started. ``frozen`` takes its answers away and gives them back; ``kill`` is for good."""

    wire: ClientWire
    freeze: Callable[[], object]
    thaw: Callable[[], object]
    kill: Callable[[], object]
    close: Callable[[], object] = lambda: None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()


def of_the_fake() -> Side:
    fake = FakeClient(opened=False)
    return Side(
        fake,
        lambda: fake.fails.update(progress=ToolFailed("no answer in time")),
        fake.fails.clear,
        lambda: setattr(fake, "gone", True),
    )


class Client:
    """One container, started anew for each wire: ``target`` outlives a reset."""

    def __init__(self, small_run: SmallRun) -> None:
        self.engine = small_run.engine
        small_run.member(IT, "client", stdin_open=True)

    def side(self) -> Side:
        self.engine.kill(IT)
        await_match(lambda: self.engine.state(IT), lambda s: s == "exited", what="an old client's end", within=TEN)
        self.engine.start(IT)
        wire = Wire(self.engine.attach(IT), lambda _event: None)
        wire.ask("hello", within=20)
        return Side(
            wire,
            lambda: self.engine.pause(IT),
            lambda: self.engine.unpause(IT),
            lambda: self.engine.kill(IT),
            wire.close,
        )


@pytest.fixture(scope="module")
def client(small_run: SmallRun) -> Iterator[Client]:
    yield Client(small_run)
    small_run.remove(IT)


@pytest.fixture(params=["fake", "real"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    chosen = of_the_fake() if request.param == "fake" else request.getfixturevalue("client").side()
    yield chosen
    chosen.close()


def opened(wire: ClientWire) -> None:
    wire.ask("open", host="127.0.0.1", user="nobody", password="secret", vhost="/")


def test_a_client_says_which_protocol_it_speaks_and_that_all_is_well(side: Side) -> None:
    hello = side.wire.ask("hello")
    assert (hello["protocol"], hello["ok"]) == (PROTOCOL, True)


REFUSED: dict[str, dict[str, Any]] = {
    "gravitate": {},
    "publish": {"stream": "p"},
    "consume": {"role": "c", "queue": "q"},
}
"""No such verb; one that lacks an argument; one that connects before anything is opened."""


def test_what_is_refused_is_a_tool_failure_that_names_it_and_the_client_goes_on(side: Side) -> None:
    for verb, arguments in REFUSED.items():
        with pytest.raises(ToolFailed, match=f"refused '{verb}'"):
            side.wire.ask(verb, **arguments)
    assert side.wire.ask("hello")["ok"] is True


def test_a_client_that_was_not_asked_for_a_load_has_none(side: Side) -> None:
    assert side.wire.ask("progress")["streams"] == {}
    assert side.wire.ask("drain", **{"for": 1.0})["missing"] == 0
    assert History.from_dump(side.wire.ask("dump")["dump"]).streams == ()


def test_a_stream_is_counted_from_its_beginning_until_a_reset(side: Side) -> None:
    opened(side.wire)
    side.wire.ask("publish", stream="p.q", queue="q", rate=1)
    stream = side.wire.ask("progress")["streams"]["p.q"]
    assert {"attempted", "confirmed", "nacked", "returned", "delivered", "connected"} <= stream.keys()
    side.wire.ask("reset")
    assert side.wire.ask("progress")["streams"] == {}


def test_what_is_not_answered_in_time_is_a_tool_failure_and_its_late_answer_is_nobodys(side: Side) -> None:
    with side.frozen():
        began = now()
        with pytest.raises(ToolFailed):
            side.wire.ask("progress", within=0.3)
        assert now() - began < 2
    hello = side.wire.ask("hello")
    assert (hello["protocol"], "streams" in hello) == (PROTOCOL, False)
    assert "streams" in side.wire.ask("progress")


def test_a_dead_client_is_told_at_once_not_after_the_time_out(side: Side) -> None:
    side.kill()
    began = now()
    for verb in ("progress", "stop"):
        with pytest.raises(ToolFailed, match="gone"):
            side.wire.ask(verb, within=60, role="*")
    assert now() - began < 10
