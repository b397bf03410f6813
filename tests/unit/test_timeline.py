"""The timeline: order, look-ups, nested waits, JSON lines; and the clock's anchor."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_rmqha import clock
from pytest_rmqha.timeline import Event, Timeline


def test_events_come_in_the_order_of_their_time() -> None:
    timeline = Timeline()
    timeline.add("note", "second", at=2.0)
    timeline.add("note", "first", at=1.0)

    assert [event.subject for event in timeline.events] == ["first", "second"]


def test_an_event_without_a_time_is_now() -> None:
    before = clock.now()
    event = Timeline().add("boot", "rmq1", "up", line="3.10")

    assert before <= event.at <= clock.now()
    assert (event.kind, event.subject, event.text, dict(event.data)) == ("boot", "rmq1", "up", {"line": "3.10"})


def test_between_includes_both_ends_and_last_looks_back() -> None:
    timeline = Timeline()
    for at in (1.0, 2.0, 3.0, 4.0):
        timeline.add("leader", f"q{at % 2:.0f}", str(at), at=at)

    assert [event.at for event in timeline.between(2, 3)] == [2.0, 3.0]
    assert timeline.last("leader") == timeline.events[-1]
    assert timeline.last("leader", "q1") == timeline.events[2]
    assert timeline.last("vip") is None


def test_data_cannot_be_changed_afterwards() -> None:
    event = Event(1.0, "vip", "198.18.40.100", data={"held": True})

    with pytest.raises(TypeError):
        event.data["held"] = False  # type: ignore[index]


def test_waits_of_one_label_may_be_nested_and_end_when_their_block_fails() -> None:
    timeline = Timeline()

    with pytest.raises(ZeroDivisionError), timeline.waiting("rmq1 back"), timeline.waiting("rmq1 back"):
        raise ZeroDivisionError

    assert [(event.kind, event.data["wait"]) for event in timeline.events] == [
        ("wait.begin", 1),
        ("wait.begin", 2),
        ("wait.end", 2),
        ("wait.end", 1),
    ]


def test_many_threads_lose_no_event() -> None:
    timeline = Timeline()
    threads = [threading.Thread(target=lambda: [timeline.add("note", "x") for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(timeline.events) == 1600


def test_json_lines_hold_everything_and_what_json_does_not_know_as_text(tmp_path: Path) -> None:
    timeline = Timeline()
    timeline.add("vip", "198.18.40.100", "hält", at=clock.now(), member="lb1", held=True, where=Path("/x"))
    timeline.to_jsonl(tmp_path / "timeline.jsonl")

    (line,) = (tmp_path / "timeline.jsonl").read_text(encoding="utf-8").splitlines()
    found = json.loads(line)
    assert found["data"] == {"member": "lb1", "held": True, "where": "/x"}
    assert (found["kind"], found["subject"], found["text"]) == ("vip", "198.18.40.100", "hält")
    assert abs((datetime.fromisoformat(found["utc"]) - datetime.now(UTC)).total_seconds()) < 5


def test_utc_follows_the_monotonic_clock() -> None:
    assert clock.now() == pytest.approx(time.monotonic(), abs=1)
    assert (clock.utc(10.5) - clock.utc(10.0)).total_seconds() == pytest.approx(0.5)
    assert clock.utc(clock.now()).timestamp() == pytest.approx(time.time(), abs=1)
