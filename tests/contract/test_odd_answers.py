"""Whatever an HTTP interface answers, and if it answers nothing: each adapter makes a ToolFailed of it, within its time-out."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from pytest_rmqha.adapters.haproxy import StatisticsPage
from pytest_rmqha.adapters.management import Management
from pytest_rmqha.adapters.toxiproxy import Proxies
from pytest_rmqha.clock import now
from pytest_rmqha.errors import ToolFailed

TIMEOUT = 0.3
HTML = b"<html><body>Login</body></html>"
ODD = {
    "refuses": None,
    "never answers": b"",
    "hangs up": b"\n",
    "no HTTP": b"AMQP\x00\x00\x09\x01",
    "a login page": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(HTML), HTML),
    "an error": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n[{",
}
ADAPTERS: dict[str, Callable[[int], object]] = {
    "statistics": lambda port: StatisticsPage("127.0.0.1", "u", "p", port=port, timeout=TIMEOUT).states(),
    "management": lambda port: Management("127.0.0.1", "u", "p", port=port, timeout=TIMEOUT).nodes(),
    "link proxies": lambda port: Proxies("127.0.0.1", port=port, timeout=TIMEOUT).read("way"),
}


@contextlib.contextmanager
def server(says: bytes | None) -> Iterator[int]:
    """A port whose first caller gets these bytes and then a closed connection; with none of them, silence."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]

        def serve() -> None:
            with contextlib.suppress(OSError):
                wire, _ = listening.accept()
                with wire:
                    wire.recv(4096)
                    if says:
                        wire.sendall(says)
                    else:
                        over.wait(5)

        thread = threading.Thread(target=serve, daemon=True)
        if says is None:
            listening.close()
        else:
            thread.start()
        try:
            yield port
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            if thread.ident is not None:
                thread.join(2)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_a_tool_failure_within_the_time_out(adapter: str, odd: str) -> None:
    with server(ODD[odd]) as port:
        began = now()
        with pytest.raises(ToolFailed, match=r"127\.0\.0\.1|toxiproxy"):
            ADAPTERS[adapter](port)
        assert now() - began < 2 * TIMEOUT + 1


BOOTING = {
    "plain text": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nNot Found",
    "JSON": b'HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"error":"not_found"}',
}


@pytest.mark.parametrize("kind", BOOTING)
def test_a_booting_broker_that_knows_no_list_yet_does_not_answer(kind: str) -> None:
    with server(BOOTING[kind]) as port, pytest.raises(ToolFailed, match="serves nothing yet"):
        Management("127.0.0.1", "u", "p", port=port, timeout=TIMEOUT).nodes()


def test_an_object_that_is_missing_is_a_key_error() -> None:
    with server(BOOTING["JSON"]) as port, pytest.raises(KeyError):
        Management("127.0.0.1", "u", "p", port=port, timeout=TIMEOUT).queue("/", "q")
