"""The stream to the load client over a socket pair: frames cut anywhere, answers by id, and a stream that ends."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pytest_rmqha.adapters.wire import Wire
from pytest_rmqha.errors import ToolFailed

Asking = Future[Mapping[str, Any]]


def frame(text: str | bytes, stream: int = 1) -> bytes:
    body = text.encode() if isinstance(text, str) else text
    return bytes([stream, 0, 0, 0]) + len(body).to_bytes(4, "big") + body


def line(**message: Any) -> str:
    return json.dumps(message) + "\n"


def until(true: Callable[[], object]) -> None:
    """The reader is a thread of its own: give it up to two seconds."""
    deadline = time.monotonic() + 2
    while not true():
        assert time.monotonic() < deadline, "the reader did not get there"
        time.sleep(0.001)


class Peer:
    """Our end of the pair: the client's container. ``ask`` asks in a thread and returns once the request is here."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(2)
        self.socket = ours
        self.events: list[Mapping[str, Any]] = []
        self.wire = Wire(theirs, self.events.append)
        self.pool = ThreadPoolExecutor(max_workers=4)
        self._requests = ours.makefile("rb")

    def request(self) -> dict[str, Any]:
        return dict(json.loads(self._requests.readline()))

    def ask(self, verb: str, **arguments: Any) -> tuple[dict[str, Any], Asking]:
        asking = self.pool.submit(self.wire.ask, verb, within=2, **arguments)
        return self.request(), asking

    def say(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def hang_up(self) -> None:
        self._requests.close()
        self.socket.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.wire.close()
    peer.hang_up()
    peer.pool.shutdown()


# requests and answers


def test_a_request_is_a_line_and_gets_its_answer(peer: Peer) -> None:
    request, asking = peer.ask("publish", stream="p.q", rate=3)
    number = request["id"]
    assert request == {"id": number, "do": "publish", "stream": "p.q", "rate": 3}

    peer.say(frame(line(id=number, ok=True, sent=7)))
    assert asking.result(2) == {"id": number, "ok": True, "sent": 7}


def test_answers_find_their_requests_in_any_order(peer: Peer) -> None:
    first, one = peer.ask("a")
    second, two = peer.ask("b")

    peer.say(frame(line(id=second["id"], ok=True, n=2)), frame(line(id=first["id"], ok=True, n=1)))
    assert (one.result(2)["n"], two.result(2)["n"]) == (1, 2)


def test_a_refusal_is_a_tool_that_failed(peer: Peer) -> None:
    request, asking = peer.ask("publish")

    peer.say(frame(line(id=request["id"], ok=False, error="no such queue")))
    with pytest.raises(ToolFailed, match="refused 'publish': no such queue"):
        asking.result(2)


def test_a_client_that_does_not_answer_in_time_is_told(peer: Peer) -> None:
    with pytest.raises(ToolFailed, match="did not answer 'progress' within 0 s"):
        peer.wire.ask("progress", within=0.02)


def test_an_answer_that_comes_too_late_disturbs_nobody(peer: Peer) -> None:
    with pytest.raises(ToolFailed):
        peer.wire.ask("progress", within=0.01)
    late = peer.request()["id"]

    request, asking = peer.ask("progress")
    peer.say(frame(line(id=late, ok=True, n=1)), frame(line(id=request["id"], ok=True, n=2)))
    assert asking.result(2)["n"] == 2


def test_an_answer_to_a_given_up_request_is_never_that_of_a_later_one(peer: Peer) -> None:
    """The same verb again and again, each answered after its time: nobody takes another's answer."""
    late = []
    for _ in range(5):
        with pytest.raises(ToolFailed, match="did not answer"):
            peer.wire.ask("progress", within=0.01)
        late.append(peer.request()["id"])
    assert len(set(late)) == 5

    request, asking = peer.ask("progress")
    peer.say(
        *(frame(line(id=number, ok=True, n=number)) for number in late), frame(line(event="all late ones are here"))
    )
    until(lambda: peer.events)
    assert not asking.done()
    peer.say(frame(line(id=request["id"], ok=True, n="its own")))
    assert asking.result(2)["n"] == "its own"


def test_a_second_wire_does_not_take_what_the_first_one_asked_for(peer: Peer) -> None:
    with pytest.raises(ToolFailed):
        peer.wire.ask("progress", within=0.01)
    late = peer.request()["id"]

    second = Peer()
    request, asking = second.ask("progress")
    second.say(frame(line(id=late, ok=True, n="late")), frame(line(id=request["id"], ok=True, n="its own")))
    assert asking.result(2)["n"] == "its own"
    second.wire.close()
    second.hang_up()
    second.pool.shutdown()


@pytest.mark.parametrize(
    ("verb", "within", "told"), [("stop", 35, 23), ("stop", 15, 3), ("stop", 2, 1), ("republish", 30, 28)]
)
def test_a_verb_that_waits_is_told_to_be_done_before_it_is_given_up(
    peer: Peer, verb: str, within: float, told: float
) -> None:
    asking = peer.pool.submit(peer.wire.ask, verb, within=within, stream="p")
    request = peer.request()
    assert (request["within"], request["stream"]) == (told, "p")

    peer.say(frame(line(id=request["id"], ok=True)))
    asking.result(2)


def test_a_verb_that_does_not_wait_is_told_no_limit(peer: Peer) -> None:
    request, asking = peer.ask("progress")
    assert "within" not in request

    peer.say(frame(line(id=request["id"], ok=True)))
    asking.result(2)


# frames


def test_a_frame_may_arrive_byte_by_byte(peer: Peer) -> None:
    request, asking = peer.ask("a")

    peer.say(*(bytes([byte]) for byte in frame(line(id=request["id"], ok=True, text="é…"))))
    assert asking.result(2)["text"] == "é…"


def test_a_line_may_span_frames_even_within_a_character(peer: Peer) -> None:
    request, asking = peer.ask("a")
    text = json.dumps({"id": request["id"], "ok": True, "text": "é"}, ensure_ascii=False).encode() + b"\n"

    middle = text.index(b"\xa9")
    peer.say(frame(text[:middle]), frame(text[middle:-1]), frame(b"\n"))
    assert asking.result(2)["text"] == "é"


def test_a_frame_may_hold_several_lines_and_the_beginning_of_one(peer: Peer) -> None:
    request, asking = peer.ask("a")
    answer = line(id=request["id"], ok=True)

    peer.say(frame(line(event="x") + "\n  \n" + line(event="y") + answer[:4]) + frame(answer[4:]))
    asking.result(2)
    assert [event["event"] for event in peer.events] == ["x", "y"]


def test_a_long_answer_is_read_whole(peer: Peer) -> None:
    request, asking = peer.ask("dump")

    peer.say(frame(line(id=request["id"], ok=True, dump="x" * 300_000)))
    assert len(asking.result(2)["dump"]) == 300_000


def test_an_empty_frame_is_nothing(peer: Peer) -> None:
    request, asking = peer.ask("a")

    peer.say(frame(""), frame(line(id=request["id"], ok=True)))
    assert asking.result(2)["ok"]


def test_what_the_client_says_to_stderr_is_kept_apart(peer: Peer) -> None:
    request, asking = peer.ask("a")
    answer = line(id=request["id"], ok=True)

    peer.say(frame(answer[:5]), frame(b"Traceback \xff\n", stream=2), frame(answer[5:]))
    asking.result(2)
    assert peer.wire.stderr == ["Traceback �\n"]


def test_of_stderr_the_last_is_kept(peer: Peer) -> None:
    peer.say(*(frame(str(n), stream=2) for n in range(205)))

    until(lambda: peer.wire.stderr and peer.wire.stderr[-1] == "204")
    assert (len(peer.wire.stderr), peer.wire.stderr[0]) == (200, "5")


def test_events_come_without_being_asked_for(peer: Peer) -> None:
    peer.say(frame(line(event="connected", role="c.q", at=1.5)))

    until(lambda: peer.events)
    assert peer.events == [{"event": "connected", "role": "c.q", "at": 1.5}]


# a stream that ends


def test_when_the_stream_ends_all_that_wait_fail_at_once(peer: Peer) -> None:
    _, one = peer.ask("a")
    _, two = peer.ask("b")

    peer.hang_up()
    for asking in (one, two):
        with pytest.raises(ToolFailed, match="the load client is gone: its stream ended"):
            asking.result(1)


@pytest.mark.parametrize("rest", [b"\x01\x00\x00", frame(line(id=0, ok=True))[:-3]])
def test_a_stream_that_ends_within_a_frame_has_ended(peer: Peer, rest: bytes) -> None:
    _, asking = peer.ask("a")

    peer.say(rest)
    peer.hang_up()
    with pytest.raises(ToolFailed, match="its stream ended"):
        asking.result(1)


def test_a_client_that_is_gone_is_not_asked(peer: Peer) -> None:
    peer.hang_up()
    until(lambda: peer.wire.closed)

    with pytest.raises(ToolFailed, match=r"gone \(its stream ended\); asked for 'progress'"):
        peer.wire.ask("progress")


def test_closing_our_side_fails_what_waits(peer: Peer) -> None:
    _, asking = peer.ask("a")

    peer.wire.close()
    with pytest.raises(ToolFailed, match="gone"):
        asking.result(1)


def test_what_is_no_json_ends_the_stream_and_says_so(peer: Peer) -> None:
    _, asking = peer.ask("a")

    peer.say(frame("Segmentation fault\n"))
    with pytest.raises(ToolFailed, match="it sent something that is not a JSON line"):
        asking.result(1)
    assert peer.wire.closed is not None


def test_a_docker_socket_is_unwrapped() -> None:
    """docker-py hands out a SocketIO whose ``_sock`` is the socket."""
    ours, theirs = socket.socketpair()
    with ours:
        raw = socket.SocketIO(theirs, "rw")
        wire = Wire(raw, lambda _event: None)
        wire.close()
        until(lambda: wire.closed)
        assert raw.closed
    theirs.close()
