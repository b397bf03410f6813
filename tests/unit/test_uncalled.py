"""A scenario whose test is never called: its lease is left as usual, or as by an interrupt where the session ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.lease import lease
from pytest_rmqha.scenario_lease import LEFT, _leave_uncalled
from pytest_rmqha.sigterm import CLEAN_STOP, CleanStop
from tests.unit.fakes import FakeStack, World


class Leased:
    def __init__(self) -> None:
        self.left: list[tuple[Any, Any]] = []

    def __exit__(self, kind: Any, error: Any, _where: Any) -> None:
        self.left.append((kind, error))


def asked(signals: int | None) -> Any:
    """A fixture's request in a session that has seen so many signals; None: nobody watches for them."""
    stash = pytest.Stash()
    if signals is not None:
        stash[CLEAN_STOP] = CleanStop()
        stash[CLEAN_STOP].seen = signals
    return SimpleNamespace(node=SimpleNamespace(stash=pytest.Stash()), config=SimpleNamespace(stash=stash))


@pytest.mark.parametrize("signals", [0, None])
def test_another_fixture_that_failed_leaves_it_as_usual(signals: int | None) -> None:
    leased = Leased()
    _leave_uncalled(asked(signals), leased)
    assert leased.left == [(None, None)]


def test_the_end_of_the_session_leaves_it_as_an_interrupt_does() -> None:
    leased = Leased()
    _leave_uncalled(asked(1), leased)
    [(kind, error)] = leased.left
    assert kind is KeyboardInterrupt
    assert isinstance(error, KeyboardInterrupt)


@pytest.mark.parametrize("signals", [0, 1])
def test_what_the_call_has_left_is_not_left_twice(signals: int) -> None:
    request, leased = asked(signals), Leased()
    request.node.stash[LEFT] = True
    _leave_uncalled(request, leased)
    assert leased.left == []


def test_at_the_end_of_the_session_nobody_waits_to_see_the_stack_whole() -> None:
    stack = FakeStack(World())
    leased = lease(stack, "s", lambda: Chaos(stack.timeline))
    leased.__enter__()
    _leave_uncalled(asked(1), leased)
    assert stack.worn
    assert not [event for event in stack.timeline.events if event.kind == "scenario.end"]
