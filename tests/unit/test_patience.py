"""Idle and silent clients: what their ends mean, and the hand-made AMQP that opens them."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha.checkers.patience import Wait, idle_client_survives, silent_client_is_noticed, spells
from pytest_rmqha.checkers.verdict import Outcome
from pytest_rmqha.client import patience
from pytest_rmqha.timeline import Event
from pytest_rmqha.waiting import seconds

NOW = 1000.0
IDLE, SILENT = seconds(90), seconds(75)


def wait(kind: str, opened: float, cut: float | None, heartbeat: int = 20) -> Wait:
    return Wait(kind, f"patience.{kind}.{opened:g}", opened, cut, heartbeat, "closed by the other side")


def test_a_fault_lasts_from_its_injection_until_it_is_gone() -> None:
    events = [
        Event(10, "fault.injected", "a"),
        Event(15, "fault.gone", "a"),
        Event(20, "fault.injected", "b"),
        Event(30, "note", "stack", "taken down to be built anew"),
    ]

    assert spells(events) == ((10, 15), (30, 30), (20, float("inf")))


@pytest.mark.parametrize(
    ("waits", "faults", "outcome"),
    [
        ([], (), Outcome.UNDECIDED),
        ([wait("idle", 950, None)], (), Outcome.UNDECIDED),
        ([wait("idle", 910, None)], (), Outcome.HELD),
        ([wait("idle", 800, 895)], (), Outcome.HELD),
        ([wait("idle", 800, 809)], (), Outcome.BROKEN),
        ([wait("idle", 800, 809), wait("idle", 900, None)], ((808, 820),), Outcome.HELD),
        ([wait("idle", 800, 809)], ((808, 820),), Outcome.UNDECIDED),
        ([wait("idle", 800, 830), wait("idle", 900, None)], ((810, 820),), Outcome.HELD),
        ([wait("idle", 800, 840), wait("idle", 900, None)], ((810, 820),), Outcome.BROKEN),
        ([wait("silent", 800, 809)], (), Outcome.UNDECIDED),
    ],
)
def test_an_idle_client_must_live_unless_a_fault_ends_it(waits: Any, faults: Any, outcome: Outcome) -> None:
    assert idle_client_survives(waits, faults, NOW, IDLE).outcome is outcome


def test_a_cut_idle_client_names_value_budget_and_heartbeat() -> None:
    said = str(idle_client_survives([wait("idle", 800, 809)], (), NOW, IDLE))

    assert "after 9.0 s, budget 90 s; heartbeat 20 s" in said


@pytest.mark.parametrize(
    ("waits", "faults", "outcome"),
    [
        ([], (), Outcome.UNDECIDED),
        ([wait("silent", 930, None)], (), Outcome.UNDECIDED),
        ([wait("silent", 920, None)], (), Outcome.BROKEN),
        ([wait("silent", 800, 876)], (), Outcome.BROKEN),
        ([wait("silent", 800, 860)], (), Outcome.HELD),
        ([wait("silent", 800, 860)], ((855, 870),), Outcome.HELD),
        ([wait("silent", 800, 810)], ((805, 870),), Outcome.UNDECIDED),
        ([wait("silent", 800, 810, heartbeat=0)], ((805, 870),), Outcome.UNDECIDED),
        ([wait("silent", 800, 870, heartbeat=30)], ((805, 870),), Outcome.UNDECIDED),
        ([wait("silent", 800, 870, heartbeat=30)], (), Outcome.HELD),
        ([wait("silent", 800, 890, heartbeat=30)], ((805, 870),), Outcome.BROKEN),
        ([wait("silent", 800, 890, heartbeat=20)], ((805, 870),), Outcome.UNDECIDED),
        ([wait("silent", 800, 890, heartbeat=30), wait("silent", 900, 960)], ((805, 870),), Outcome.BROKEN),
    ],
)
def test_a_silent_client_must_be_noticed_in_time(waits: Any, faults: Any, outcome: Outcome) -> None:
    assert silent_client_is_noticed(waits, faults, NOW, SILENT).outcome is outcome


class Broker(threading.Thread):
    """As much of a broker as an opening connection meets; ``closes`` instead of the method that it would send then."""

    def __init__(self, heartbeat: int = 20, closes_before: int = 0) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heartbeat, self.closes_before = heartbeat, closes_before
        self.heard = b""
        self.start()

    def run(self) -> None:
        wire, _ = self.listener.accept()
        with wire:
            for method, arguments in (
                (patience.START, b""),
                (patience.TUNE, struct.pack(">HIH", 2047, 131072, self.heartbeat)),
                (patience.OPEN_OK, b"\0"),
            ):
                self.heard += wire.recv(4096)
                if method == patience.OPEN_OK and patience.OPEN not in self.heard:
                    self.heard += wire.recv(4096)
                if method == self.closes_before:
                    wire.sendall(patience.frame(50, struct.pack(">H", 403) + patience.short("ACCESS_REFUSED")))
                    return
                wire.sendall(patience.frame(method, arguments))

    def asked(self, **more: Any) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "user": "u", "password": "p", "vhost": "v", **more}


def test_a_connection_is_opened_with_the_heartbeat_that_is_offered() -> None:
    broker = Broker(heartbeat=17)
    wire, heartbeat = patience.opened(broker.asked(), "waiting")
    wire.close()

    assert heartbeat == 17
    assert broker.heard.startswith(b"AMQP\x00\x00\x09\x01") and b"\0u\0p" in broker.heard and b"waiting" in broker.heard


@pytest.mark.parametrize(("before", "named"), [(patience.TUNE, "10.30"), (patience.OPEN_OK, "10.41")])
def test_a_refusal_says_how_far_the_connection_came(before: int, named: str) -> None:
    with pytest.raises(patience.Refused, match=rf"expected method {named}, got 10\.50.*ACCESS_REFUSED"):
        patience.opened(Broker(closes_before=before).asked(), "refused")


def test_a_closed_connection_is_told_and_heartbeats_are_sent_until_then() -> None:
    ours, theirs = socket.socketpair()
    heard = b""

    def hear() -> None:
        nonlocal heard
        heard = theirs.recv(64)
        theirs.close()

    threading.Thread(target=hear, daemon=True).start()

    assert patience.stays(ours, every=0.05)
    assert heard.startswith(patience.HEARTBEAT)


def test_the_book_has_a_line_when_a_connection_opens_and_one_when_it_is_cut(tmp_path: Path) -> None:
    place = tmp_path / "told"
    book = patience.Book(place)

    book.tell(kind="idle", cut=None)
    book.tell(kind="idle", cut=1.5)

    assert place.read_text().splitlines() == ['{"kind": "idle", "cut": null}', '{"kind": "idle", "cut": 1.5}']
