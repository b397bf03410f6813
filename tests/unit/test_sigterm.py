"""Ctrl-C and SIGTERM: at once where nothing stands, at the next poll while a stack does, and never not at all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from pytest_rmqha.sigterm import CleanStop
from pytest_rmqha.waiting import await_match, seconds

NUMBERS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def stop() -> Iterator[CleanStop]:
    stop = CleanStop(grace=0.2)
    stop.install()
    yield stop
    stop.restore()


def sent(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", NUMBERS)
def test_without_a_stack_it_interrupts_at_once(stop: CleanStop, number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt, match=number.name):
        sent(number)


@pytest.mark.parametrize("number", NUMBERS)
def test_while_a_stack_stands_it_waits_for_the_next_poll(stop: CleanStop, number: signal.Signals) -> None:
    stop.defers = True
    done: list[str] = []

    def ask() -> bool:
        sent(number)
        done.append("what was begun is done")
        return False

    with pytest.raises(KeyboardInterrupt, match=number.name):
        await_match(ask, bool, what="it", within=seconds(5), every=0.01)
    assert done == ["what was begun is done"]


def test_without_a_poll_it_interrupts_when_the_grace_is_over(stop: CleanStop) -> None:
    stop.defers = True
    began = time.monotonic()

    sent(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        time.sleep(5)
    assert 0.15 < time.monotonic() - began < 2


def test_it_interrupts_once_and_the_teardown_may_poll(stop: CleanStop) -> None:
    stop.defers = True
    sent(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        stop.check()

    sent(signal.SIGTERM)
    assert await_match(lambda: True, bool, what="it", within=seconds(1))
    time.sleep(0.3)  # the first one's timer is over, and interrupts nothing more


def test_a_second_ctrl_c_breaks_the_teardown_too(stop: CleanStop) -> None:
    stop.defers = True
    sent(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        sent(signal.SIGINT)


def test_what_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = CleanStop()
    try:
        stop.install()
        sent(signal.SIGINT)
    finally:
        stop.restore()
        signal.signal(signal.SIGINT, before)
    assert stop.seen == 0


def test_the_handlers_of_before_are_put_back() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    stop = CleanStop()

    stop.install()
    stop.restore()

    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_a_deadline_interrupts_at_the_next_poll_and_says_which(stop: CleanStop) -> None:
    stop.defers = True
    stop.end_after(0.1 / 60)
    with pytest.raises(KeyboardInterrupt, match=r"the deadline of .* minutes \(--rmq-deadline\) has passed"):
        await_match(lambda: False, bool, what="it", within=seconds(5), every=0.01)
    assert "--rmq-deadline" in stop.ended_by


def test_a_deadline_does_not_strike_a_teardown(stop: CleanStop) -> None:
    stop.end_after(0.1 / 60)
    stop.forget_deadline()
    time.sleep(0.2)

    stop.end_after(0.1 / 60)
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        sent(signal.SIGINT)
    time.sleep(0.2)
    assert stop.ended_by == ""
