"""The statistics page: its CSV as states, and what is no page."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pytest_rmqha.adapters.haproxy import StatisticsPage, parse
from pytest_rmqha.errors import ToolFailed

CSV = """# pxname,svname,qcur,status,check_status,
stats,FRONTEND,,OPEN,,
amqp,FRONTEND,,OPEN,,
amqp_brokers,rmq1,0,UP,L4OK,
amqp_brokers,rmq2,0,UP 1/2,L4OK,
amqp_brokers,rmq3,0,DOWN,"L4CON, refused",
amqp_brokers,BACKEND,0,UP,,
mgmt_brokers,rmq1,0,MAINT,,
mgmt_brokers,rmq2,0,no check,,
mgmt_brokers,rmq3,0,DOWN 1/3,,
mgmt_brokers,BACKEND,0,UP,,
"""


def test_servers_are_named_by_backend_and_states_keep_their_first_word() -> None:
    assert parse(CSV) == {
        "amqp_brokers/rmq1": "UP",
        "amqp_brokers/rmq2": "UP",
        "amqp_brokers/rmq3": "DOWN",
        "mgmt_brokers/rmq1": "MAINT",
        "mgmt_brokers/rmq2": "no",
        "mgmt_brokers/rmq3": "DOWN",
    }


HEADER = CSV.splitlines()[0] + "\n"


@pytest.mark.parametrize("text", ["# pxname,svname,qcur,status,check_status,\n", HEADER, HEADER + CSV.splitlines()[1]])
def test_a_page_without_servers_has_no_states(text: str) -> None:
    assert parse(text) == {}


def test_a_listener_is_no_server() -> None:
    """``option socket-stats`` gives each its own line; column ``type`` tells them apart."""
    text = HEADER.replace("\n", "type,\n") + "amqp,sock-1,,OPEN,,3,\namqp_brokers,rmq1,0,UP,L4OK,2,\n"
    assert parse(text) == {"amqp_brokers/rmq1": "UP"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nothing"),
        ("\n\n", "nothing"),
        ("<!DOCTYPE html>\n<html><body>Statistics Report</body></html>", "<!DOCTYPE html>"),
        ('{"error":"not found"}', "not found"),
        ("pxname,svname,qcur\namqp_brokers,rmq1,0\n", "pxname,svname,qcur"),
        ("x" * 500, "and 380 more characters"),
    ],
)
def test_what_is_not_the_pages_csv_is_a_tool_that_failed_and_is_named(text: str, told: str) -> None:
    with pytest.raises(ToolFailed, match=f"not haproxy's statistics as CSV: .*{told}"):
        parse(text)


@pytest.mark.parametrize("last", ["amqp_brokers,rmq2", "amqp_brokers,rmq2,0,,"])
def test_a_page_that_breaks_off_is_a_tool_that_failed(last: str) -> None:
    with pytest.raises(ToolFailed, match="break off at amqp_brokers/rmq2"):
        parse(HEADER + "amqp_brokers,rmq1,0,UP,L4OK,\n" + last)


def test_a_field_longer_than_any_is_a_tool_that_failed() -> None:
    with pytest.raises(ToolFailed, match="field larger than field limit"):
        parse(HEADER + "x" * 200_000)


@pytest.fixture
def page() -> Iterator[StatisticsPage]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = self.headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
            self.send_response(200 if right and self.path == "/haproxy-stats;csv" else 401)
            self.end_headers()
            self.wfile.write(CSV.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name is the base class's
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield StatisticsPage("127.0.0.1", "u", "p", port=server.server_port)
        server.shutdown()
        thread.join(2)


def test_the_page_is_asked_with_its_password(page: StatisticsPage) -> None:
    assert page.states()["amqp_brokers/rmq3"] == "DOWN"


def test_a_page_that_refuses_is_a_tool_that_failed(page: StatisticsPage) -> None:
    with pytest.raises(ToolFailed, match=r"page of 127\.0\.0\.1: HTTP 401"):
        StatisticsPage("127.0.0.1", "u", "wrong", port=page.port).states()


def test_a_frozen_page_and_a_dead_one_are_tools_that_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(ToolFailed, match="ReadTimeout"):
            StatisticsPage("127.0.0.1", "u", "p", port=port, timeout=0.03).states()
    with pytest.raises(ToolFailed, match="ConnectionError"):
        StatisticsPage("127.0.0.1", "u", "p", port=port, timeout=0.5).states()
