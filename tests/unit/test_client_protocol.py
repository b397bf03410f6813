"""The load client without a network: its lines, its messages, its refusals, its clockwork."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.adapters.utils.connection_workflow import AMQPConnectorSocketConnectError

from pytest_rmqha.client import message, sabotage, wire
from pytest_rmqha.client.connection import BACK_OFF, Target, back_off, told
from pytest_rmqha.client.consumer import Consumer
from pytest_rmqha.client.ledger import Ledger, StreamLedger
from pytest_rmqha.client.meter import Meter
from pytest_rmqha.client.publisher import Publisher
from pytest_rmqha.client.session import Refused, Session

CLIENT = Path(message.__file__).parent
TARGET = Target("192.0.2.1", 5672, "u", "p", "/", 20)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(sabotage, "PLACE", tmp_path / "sabotage")

    def plant(name: str) -> None:
        sabotage.PLACE.write_text(name)
        sabotage.begin()

    yield plant
    sabotage.PLACE.unlink(missing_ok=True)
    sabotage.begin()


# messages


@pytest.mark.parametrize("stream", ["p", "p.ha.orders", "p:orders:eu", "p.q ü%25", "%3A:%", ""])
def test_a_message_says_whose_it_is(stream: str) -> None:
    header = message.header_of(stream)

    assert message.parsed(message.body(header, 42, 1.5, 64)) == (stream, 42, "", 1_500_000)
    assert message.parsed(message.body(header, 42, 1.5, 64, b"0af3")) == (stream, 42, "0af3", 1_500_000)


def test_a_message_has_the_wanted_size() -> None:
    assert len(message.body(message.header_of("p"), 1, 1.0, 64)) == 64
    assert message.body(message.header_of("p"), 1, 1.0, 0) == b"p:1:1000000::"


@pytest.mark.parametrize("body", [b"", b"hello", b"p:", b"p:1", b"p:1:2", b"p:-1:2:", b"p:x:2:", b"\xff:1:2:"])
def test_a_strangers_message_is_nobodys(body: bytes) -> None:
    assert message.parsed(body) == message.STRANGER


# lines


def test_lines_that_are_no_requests_are_answered_and_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["", "nonsense", "[1]", "3", '{"do": "hello"}', '{"id": 1, "do": "hello"}']
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))

    assert list(wire.requests()) == [{"id": 1, "do": "hello"}]
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [a["ok"] for a in answers] == [False] * 4


def test_an_event_says_when_and_who(capsys: pytest.CaptureFixture[str]) -> None:
    wire.event("connected", "p.q", again=True)
    said = json.loads(capsys.readouterr().out)

    assert said.pop("at") > 0
    assert said == {"event": "connected", "role": "p.q", "again": True}


# verbs


@pytest.mark.parametrize(
    ("verb", "request_", "said"),
    [
        ("dance", {}, "unknown verb 'dance'; there are hello, open, "),
        ("publish", {"stream": "p"}, "publish needs queue"),
        ("open", {}, "open needs host, user, password, vhost"),
        ("publish", {"stream": "p", "queue": "q"}, "ask 'open' first"),
        ("stop", {}, "stop needs stream or role"),
        ("stop", {"stream": "p"}, "no stream 'p'; there are none"),
        ("stop", {"role": "c"}, "no role 'c'; there are none"),
        ("republish", {"stream": "p"}, "no stream 'p'; there are none"),
        ("release", {"role": "c"}, "no consumer 'c'; there are none"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(verb: str, request_: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        Session().do(verb, request_)


def test_a_new_session_is_empty() -> None:
    session = Session()

    assert session.do("progress", {}) == {"streams": {}, "roles": {}}
    assert session.do("stop", {"role": "*"}) == {}
    assert session.do("dump", {})["dump"]["window"] == [0.0, 0.0]


def test_the_program_answers_until_its_input_ends() -> None:
    program = "import sys; from pytest_rmqha.client.__main__ import main; main()"
    lines = '{"id": 1, "do": "hello"}\n{"id": 2, "do": "dance"}\n'
    done = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, text=True, timeout=20)
    hello, refused = map(json.loads, done.stdout.splitlines())

    assert done.returncode == 0
    assert (hello["id"], hello["ok"], hello["protocol"]) == (1, True, 1)
    assert (refused["id"], refused["ok"]) == (2, False)


def test_no_file_of_the_client_imports_it_by_its_name_here() -> None:
    assert not [path.name for path in CLIENT.glob("*.py") if "pytest_rmqha" in path.read_text(encoding="utf-8")]


# connections


def test_waits_between_tries_grow_to_a_second() -> None:
    assert [back_off(n) for n in range(7)] == [*BACK_OFF, 1.0, 1.0]


def test_an_error_without_a_text_of_its_own_tells_its_cause() -> None:
    refused = AMQPConnectorSocketConnectError(ConnectionRefusedError(111, "Connection refused"))
    error = pika.exceptions.AMQPConnectionError(refused)

    assert told(error).startswith("AMQPConnectionError AMQPConnectorSocketConnectError: ConnectionRefusedError(111")
    assert told(ValueError("x" * 500)) == ("ValueError " + "x" * 500)[:120]
    assert told(TimeoutError()) == "TimeoutError"


def test_another_host_keeps_the_rest_of_the_target() -> None:
    assert TARGET.at("192.0.2.9").peer == "192.0.2.9:5672"
    assert TARGET.at(None) is TARGET


# publishers and consumers, fed by hand


def a_publisher(**options: Any) -> Publisher:
    publisher = Publisher(Ledger().stream("p", "q"), TARGET, Meter(), options)
    publisher._channel = _Channel()
    return publisher


class _Channel:
    is_open = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes, Any, bool]] = []
        self.acked: list[Any] = []

    def basic_publish(self, exchange: str, queue: str, body: bytes, properties: Any, mandatory: bool) -> None:
        self.sent.append((exchange, queue, body, properties, mandatory))

    def basic_ack(self, tag: int) -> None:
        self.acked.append(tag)


def answer(publisher: Publisher, tag: int, *, good: bool = True, multiple: bool = False) -> None:
    kind = pika.spec.Basic.Ack if good else pika.spec.Basic.Nack
    publisher._answered(pika.frame.Method(1, kind(delivery_tag=tag, multiple=multiple)))


def test_the_window_bounds_what_is_unanswered() -> None:
    publisher = a_publisher(window=3)
    publisher._pump()

    assert publisher.ledger.attempted == publisher.unanswered == 3
    answer(publisher, 1)
    assert (publisher.ledger.attempted, publisher.unanswered) == (4, 3)


def test_messages_are_persistent_mandatory_and_numbered() -> None:
    publisher = a_publisher(window=2)
    publisher._pump()
    exchange, queue, body, properties, mandatory = publisher._channel.sent[1]

    assert (exchange, queue, message.parsed(body)[:3], mandatory) == ("", "q", ("p", 1, ""), True)
    assert properties.delivery_mode == 2


def test_one_answer_may_speak_for_many() -> None:
    publisher = a_publisher(window=5, limit=5)
    publisher._pump()
    answer(publisher, 3, multiple=True)
    answer(publisher, 5, good=False)

    assert list(publisher.ledger.confirmed.ones()) == [0, 1, 2]
    assert list(publisher.ledger.nacked.ones()) == [4]
    assert list(publisher.ledger.unanswered().ones()) == [3]


def test_an_unroutable_message_counts_as_returned() -> None:
    publisher = a_publisher(limit=1)
    publisher._pump()
    publisher._returned(None, None, None, publisher._channel.sent[0][2])
    answer(publisher, 1)

    assert list(publisher.ledger.returned.ones()) == [0]
    assert publisher.ledger.confirmed.count() == 0


def test_the_ack_of_a_returned_message_is_no_confirm_for_meter_latency_and_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    publisher = a_publisher(limit=3)
    publisher._first_confirm_due = True
    publisher._pump()
    for number in (0, 1):
        publisher._returned(None, None, None, publisher._channel.sent[number][2])
    answer(publisher, 2, multiple=True)

    assert publisher.unanswered == 1
    dump = publisher.meter.dump()
    assert (dump["rates"]["publish"], dump["latencies"]["publish"], capsys.readouterr().out) == ([], [], "")

    answer(publisher, 3)
    dump = publisher.meter.dump()
    assert [count for _, count in dump["rates"]["publish"]] == [1]
    assert sum(count for _, steps in dump["latencies"]["publish"] for _, count in steps) == 1
    assert json.loads(capsys.readouterr().out)["event"] == "first_confirm"


def test_a_publisher_whose_messages_all_come_back_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("pytest_rmqha.client.meter.time.monotonic", lambda: clock[0])
    publisher = a_publisher(limit=2)
    publisher.meter.begin("p", "publish")
    publisher._pump()
    publisher._returned(None, None, None, publisher._channel.sent[0][2])
    clock[0] = 103.0
    answer(publisher, 1)
    clock[0] = 104.0
    answer(publisher, 2)

    assert publisher.meter.gaps == [("p", "publish", 100.0, 104.0)]


def test_a_limit_ends_it_and_what_is_published_again_gets_no_new_number() -> None:
    publisher = a_publisher(limit=2)
    publisher._pump()
    assert publisher.finished

    publisher.again = [1]
    publisher._pump()
    assert publisher.ledger.attempted == 2
    assert list(publisher.ledger.republished.ones()) == [1]


def a_consumer(ledger: Ledger, **options: Any) -> Consumer:
    return Consumer("c", ledger, threading.Lock(), TARGET, Meter(), {"queue": "q", **options})


class _Method:
    delivery_tag, redelivered = 7, False


class _Again(_Method):
    redelivered = True


def test_a_delivery_is_in_the_ledger_before_its_ack() -> None:
    ledger, seen = Ledger(), []
    stream = ledger.stream("p", "q")
    stream.attempt()

    class Watching(_Channel):
        def basic_ack(self, tag: int, multiple: bool = False) -> None:
            seen.append((tag, multiple, stream.delivered.test(0)))

    consumer = a_consumer(ledger)
    consumer._arrive(Watching(), _Method(), None, b"p:0:1:")
    assert seen == []
    consumer._acknowledge_arrived(Watching())
    consumer._acknowledge_arrived(Watching())

    assert seen == [(7, True, True)]


@pytest.mark.parametrize(("options", "acked"), [({}, [(7, True)]), ({"hold": True}, []), ({"ack": False}, [])])
def test_what_is_held_or_needs_no_ack_gets_none(options: dict[str, Any], acked: list[int]) -> None:
    channel, consumer = _Subscribed(), a_consumer(Ledger(), **options)
    consumer._arrive(channel, _Method(), None, b"a stranger")
    consumer._acknowledge_arrived(channel)

    assert channel.acked == acked


class _Connection:
    """Serves the steps that it is given, one at each look; the last ends the consumer's wish to go on."""

    def __init__(self, channel: Any, *steps: Callable[[], object]) -> None:
        self.channel_, self.steps = channel, list(steps)

    def channel(self) -> Any:
        return self.channel_

    def process_data_events(self, time_limit: float) -> None:
        self.steps.pop(0)()


class _Subscribed(_Channel):
    """``is_dead``: what is asked through it is not answered any more."""

    is_dead = False

    def basic_qos(self, prefetch_count: int) -> None:
        if self.is_dead:
            raise ConnectionResetError

    def add_on_cancel_callback(self, _call: Any) -> None: ...

    def basic_consume(self, _queue: str, _call: Any, **_how: Any) -> None: ...

    def basic_ack(self, tag: int, multiple: bool = False) -> None:
        self.acked.append((tag, multiple) if multiple else tag)

    def close(self) -> None: ...


def a_holder(count: int = 2) -> tuple[Consumer, StreamLedger, Callable[[int], None]]:
    """A consumer that holds, the stream it gets, and what makes it get a message."""
    ledger = Ledger("now")
    stream = ledger.stream("p", "q")
    for number in range(count):
        stream.attempt()
        stream.confirm(number)
    consumer = a_consumer(ledger, hold=True)
    return consumer, stream, lambda number: consumer._arrive(_Subscribed(), _Method(), None, b"p:%d:1:now:" % number)


def raised(error: Exception) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


def test_what_a_dead_session_held_is_owed_until_it_comes_again() -> None:
    consumer, stream, get = a_holder()
    consumer._serve(_Connection(_Subscribed(), lambda: get(0), lambda: get(1), raised(ConnectionResetError())))
    assert list(stream.owed.ones()) == list(stream.missing().ones()) == [0, 1]

    get(1)
    assert list(stream.missing().ones()) == [0]


def test_what_came_to_another_before_the_death_was_noticed_is_not_owed() -> None:
    consumer, stream, get = a_holder()
    other = Consumer("other", consumer.ledger, consumer.lock, TARGET, Meter(), {"queue": "q"})
    again = [lambda: other._arrive(_Subscribed(), _Again(), None, b"p:0:1:now:"), raised(ConnectionResetError())]
    consumer._serve(_Connection(_Subscribed(), lambda: get(0), lambda: get(1), *again))

    assert list(stream.missing().ones()) == [1]


@pytest.mark.parametrize(("how", "owed"), [("cease", [0, 1]), ("end", [0])])
def test_a_cancelled_session_owes_and_one_that_is_stopped_and_none_that_ends_with_its_load(
    how: str, owed: list[int]
) -> None:
    consumer, stream, get = a_holder()
    steps = [lambda: get(0), lambda: consumer._cancelled(None), lambda: get(1), getattr(consumer, how)]
    consumer._serve(_Connection(_Subscribed(), *steps))

    assert list(stream.missing().ones()) == owed


def test_what_is_released_is_acknowledged_up_to_the_last_that_was_held() -> None:
    consumer, stream, get = a_holder()
    channel = _Subscribed()
    consumer._serve(_Connection(channel, lambda: get(0), consumer.release, lambda: get(1), consumer.end))

    assert (channel.acked, consumer.hold, list(stream.missing().ones())) == ([(7, True)] * 2, False, [])


def test_a_release_is_worth_nothing_in_a_session_that_no_longer_answers() -> None:
    consumer, stream, get = a_holder()
    channel = _Subscribed()

    def release() -> None:
        channel.is_dead = True
        assert consumer.release() == 2
        assert list(stream.missing().ones()) == [0, 1]  # at once: the question may hang for as long as heartbeats take
        consumer.end()

    consumer._serve(_Connection(channel, lambda: get(0), lambda: get(1), release))
    assert (channel.acked, list(stream.missing().ones())) == ([], [0, 1])


def test_a_late_copy_of_what_another_has_got_is_held_and_not_owed() -> None:
    consumer, stream, get = a_holder()
    consumer.ledger.arrive("p", 0, True, b"", "other", "now")
    consumer._serve(_Connection(_Subscribed(), lambda: get(0), lambda: get(1), raised(ConnectionResetError())))

    assert list(stream.missing().ones()) == [1]


def test_who_was_released_between_two_sessions_holds_nothing_in_the_next() -> None:
    consumer, _, get = a_holder()
    assert consumer.release() == 0
    consumer._serve(_Connection(_Subscribed(), lambda: get(0), consumer.end))

    assert (consumer.hold, consumer.held) == (False, 0)


# planted defects


def arrivals(count: int) -> list[tuple[bytes, bool]]:
    return [told_ for n in range(count) for told_ in sabotage.arrivals(b"p:%d:0:" % n, False)]


def test_nothing_is_planted_by_itself() -> None:
    assert arrivals(400) == [(b"p:%d:0:" % n, False) for n in range(400)]


@pytest.mark.parametrize(
    ("defect", "change"),
    [("lose-one", -1), ("invent-one", +1), ("duplicate-unflagged", +1), ("reorder-one", 0), ("deaf-ledger", -400)],
)
def test_each_defect_does_what_it_says(planted: Any, defect: str, change: int) -> None:
    planted(defect)
    heard = arrivals(400)

    assert len(heard) == 400 + change
    assert heard != [(b"p:%d:0:" % n, False) for n in range(400)]


def test_an_unknown_defect_is_no_defect(planted: Any) -> None:
    planted("make-coffee")

    assert len(arrivals(400)) == 400


def test_a_defect_ends_with_its_file(planted: Any) -> None:
    planted("deaf-ledger")
    sabotage.PLACE.unlink()
    sabotage.begin()

    assert len(arrivals(5)) == 5


def test_who_is_refused_for_eight_seconds_connects_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr("pytest_rmqha.client.publisher.time.monotonic", lambda: at[0])
    publisher = a_publisher(window=2, limit=4)
    publisher._pump()
    answer(publisher, 2, good=False, multiple=True)

    at[0] += 7
    publisher._pump()
    assert not publisher._is_kept_waiting()
    answer(publisher, 3, good=False)
    at[0] += 1.5
    assert publisher._is_kept_waiting(), "every answer was a refusal since then"

    answer(publisher, 4)
    assert not publisher._is_kept_waiting(), "a confirm ends it"


@pytest.mark.parametrize(("options", "patience"), [({}, 8.0), ({"patience": None}, 8.0), ({"patience": 12.0}, 12.0)])
def test_a_confirm_is_waited_for_as_long_as_was_asked(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], patience: float
) -> None:
    at = [100.0]
    monkeypatch.setattr("pytest_rmqha.client.publisher.time.monotonic", lambda: at[0])
    publisher = a_publisher(window=2, limit=2, **options)
    publisher._pump()

    at[0] += patience - 0.1
    assert not publisher._is_kept_waiting()
    at[0] += 0.2
    assert publisher._is_kept_waiting()
