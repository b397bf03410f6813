"""The meter's gaps; and a dump of the load client becomes a frozen history that answers in Jepsen's words."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from pytest_rmqha.client.ledger import Bitmap, Ledger
from pytest_rmqha.client.meter import Meter
from pytest_rmqha.workload.history import Connect, Gap, History, Sample, Stream


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [50.0]
    monkeypatch.setattr("pytest_rmqha.client.meter.time.monotonic", lambda: now[0])
    return now


def dumped(ledger: Ledger, meter: Meter | None = None) -> dict[str, Any]:
    """What the wire carries: text and back."""
    return dict(json.loads(json.dumps({**ledger.dump(), **(meter or Meter()).dump()})))


def a_load() -> Ledger:
    """0 delivered, 1 lost, 2 nacked, 3 returned, 4 unknown and recovered, 5 unknown, 6 late."""
    ledger = Ledger()
    stream = ledger.stream("p.q", "q")
    for _ in range(7):
        stream.attempt()
    for number in (0, 1, 6):
        stream.confirm(number)
    stream.nack(2)
    stream.give_back(3)
    stream.confirm(3)
    ledger.arrive("p.q", 0, False, b"")
    ledger.arrive("p.q", 4, False, b"")
    ledger.swept("p.q", 6, b"")
    return ledger


def test_each_message_has_its_word() -> None:
    history = History.from_dump(dumped(a_load()))
    (stream,) = history.streams

    assert list(stream.confirmed.ones()) == [0, 1, 6]
    assert list(stream.unknown.ones()) == [4, 5]
    assert list(stream.recovered.ones()) == [4]
    assert list(stream.lost.ones()) == [1]
    assert list(stream.late.ones()) == [6]


def test_repeats_and_strangers_come_with_their_examples() -> None:
    ledger = a_load()
    ledger.arrive("p.q", 0, False, b"")
    ledger.arrive("nobody", 3, False, b"nobody:3:")
    history = History.from_dump(dumped(ledger))

    assert history.streams[0].unflagged == Sample(1, (0,))
    assert list(history.streams[0].repeated.ones()) == [0]
    assert history.unexpected == Sample(1, ("nobody:3:",))


def test_the_meters_numbers_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("pytest_rmqha.client.meter.time.monotonic", lambda: now[0])
    meter = Meter()
    meter.begin("p.q", "publish")
    now[0] = 100.1
    meter.moved("p.q", "publish", 5)
    meter.took("publish", [0.001])
    meter.took("deliver", [0.003])
    now[0] = 101.1
    meter.moved("p.q", "publish", 1)
    meter.connected("prober", 101.0, False, "Refused", "10.0.0.1:5672")
    now[0] = 101.2
    meter.end("p.q", "publish")
    history = History.from_dump(dumped(Ledger(), meter))

    assert history.gaps == (Gap("p.q", "publish", 100.1, 101.1),)
    assert history.gaps[0].seconds == pytest.approx(1.0)
    assert history.window == (100.0, 101.2)
    assert [n for _, n in history.rates["publish"]] == [5, 1]
    assert history.connects == (Connect("prober", 101.0, 101.1 - 101.0, False, "Refused", "10.0.0.1:5672"),)
    assert history.latencies == {"publish": ((100, ((1008, 1),)),), "deliver": ((100, ((3008, 1),)),)}


def test_an_empty_load_is_an_empty_history() -> None:
    history = History.from_dump(dumped(Ledger()))

    assert (history.streams, history.gaps, history.connects) == ((), (), ())
    assert history.window == (0.0, 0.0)


def test_a_dump_without_sweeps_is_read_too() -> None:
    dump = dumped(a_load())
    del dump["streams"][0]["late"]

    assert History.from_dump(dump).streams[0].late == Bitmap()


def test_a_stream_without_attempts_knows_nothing() -> None:
    stream = Stream("p", "q", 0)

    assert stream.unknown == stream.lost == stream.recovered == Bitmap()


def test_a_history_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        History(()).window = (1.0, 2.0)  # type: ignore[misc]


def test_an_open_gap_counts_up_to_the_end(clock: list[float]) -> None:
    meter = Meter()
    meter.begin("p", "publish")
    clock[0] = 53.0
    meter.end("p", "publish")

    assert meter.gaps == [("p", "publish", 50.0, 53.0)]


def test_a_publisher_with_all_its_answers_stood_still_until_it_was_stopped_only(clock: list[float]) -> None:
    meter = Meter()
    meter.begin("p", "publish")
    clock[0] = 53.0
    meter.end("p", "publish", at=50.1)

    assert meter.gaps == []
    assert meter.dump()["window"] == [50.0, 50.1]


def test_silence_after_everything_has_arrived_is_no_gap(clock: list[float]) -> None:
    meter = Meter()
    meter.begin("c", "deliver")
    clock[0] = 50.1
    meter.moved("c", "deliver")
    clock[0] = 55.0
    meter.settle("deliver")
    meter.end("c", "deliver")

    assert meter.gaps == []
    assert meter.dump()["window"] == [50.0, 50.1]


def test_short_stretches_are_no_gaps(clock: list[float]) -> None:
    meter = Meter()
    meter.begin("c", "deliver")
    for _ in range(10):
        clock[0] += 0.24
        meter.moved("c", "deliver")

    assert meter.gaps == []
    assert sum(meter.rates["deliver"].values()) == 10
