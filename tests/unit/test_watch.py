"""Watchers: what they write, and when what they last wrote is worth nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import pytest

from pytest_rmqha.adapters import watch as watching
from pytest_rmqha.adapters.watch import Watch
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import await_match, seconds

SOON = seconds(5)


class Looks:
    """Answers with what is the case, unless it is told to hang or to end its thread."""

    def __init__(self) -> None:
        self.state, self.done = "held", 0
        self.free = threading.Event()
        self.free.set()
        self.deadly = False

    def __call__(self) -> Mapping[str, str]:
        seen = self.state
        self.free.wait(timeout=30)
        if self.deadly:
            raise SystemExit
        self.done += 1
        return {"lb1": seen}


@pytest.fixture
def looks() -> Iterator[Looks]:
    looks = Looks()
    yield looks
    looks.free.set()


@pytest.fixture
def watch(looks: Looks) -> Iterator[Watch]:
    watch = Watch("192.0.2.9", Timeline(), "vip", looks, every=0.01)
    yield watch
    watch.stop()


def until(condition: object, what: str) -> None:
    await_match(condition, bool, what=what, within=SOON, every=0.01)  # type: ignore[arg-type]


def told(watch: Watch) -> list[str]:
    return [event.text for event in watch._timeline.events]


def hanging(watch: Watch, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first look is seen, the next one hangs, and that for longer than it may."""
    watch.start()
    until(lambda: looks.done, "the first look")
    looks.free.clear()
    monkeypatch.setattr(watching, "STUCK", 0.1)
    until(lambda: watch.is_blind, "the watcher blind")


def test_a_change_is_written_once_and_a_look_that_answers_is_not_blind(watch: Watch, looks: Looks) -> None:
    watch.start()
    until(lambda: looks.done > 3, "some looks")
    looks.state = "not held"
    until(lambda: len(told(watch)) == 2, "the change")

    assert told(watch) == ["held", "not held"]
    assert not watch.is_blind


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watcher_whose_thread_has_ended_is_blind(watch: Watch, looks: Looks) -> None:
    looks.deadly = True
    watch.start()

    until(lambda: watch.is_blind, "the watcher blind")


def test_a_slow_look_is_not_blind_yet(watch: Watch, looks: Looks) -> None:
    looks.free.clear()
    watch.start()
    until(lambda: watch._looking_since, "the look begun")

    assert not watch.is_blind


def test_a_look_that_hangs_is_blind_and_what_it_last_said_is_taken_back(
    watch: Watch, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging(watch, looks, monkeypatch)
    fresh = watch.again()
    try:
        assert told(watch) == ["held", "unanswered"]
        assert not watch.is_blind
    finally:
        looks.free.set()
        fresh.stop()


def test_a_look_that_ends_after_all_writes_nothing_beside_the_one_in_its_place(
    watch: Watch, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging(watch, looks, monkeypatch)
    monkeypatch.setattr(watching, "STUCK", 30)
    fresh = watch.again()
    looks.state = "not held"
    looks.free.set()
    watch._thread.join(timeout=5)
    until(lambda: "not held" in told(watch), "the fresh look")
    fresh.stop()

    assert told(watch)[:2] == ["held", "unanswered"]
    assert not watch._thread.is_alive()
