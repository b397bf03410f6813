"""A broker that its peers refuse: how long it is watched, and when it is certain that it stays outside."""

from __future__ import annotations

import functools
import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.waiting import await_match
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Hands, World

CLUSTER = frozenset({4369, 25672})


class Watched:
    """``ports``: (seconds since the start, what it listens on from then on), None where it can't be asked; ``waits`` likewise."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.syspath_prepend(str(SUITES))
        self.play = importlib.import_module("plays.membership")
        self.hands = Hands()
        self.ports: list[tuple[float, frozenset[int] | None]] = [(0, CLUSTER)]
        self.waits = float("inf")
        patch.setattr(
            self.play, "await_match", functools.partial(await_match, clock=self.hands.now, sleep=self.hands.sleep)
        )
        patch.setattr(self.play, "clock", SimpleNamespace(now=self.hands.now))
        patch.setattr(self.play, "listens_on", lambda _node: self.listens())
        patch.setattr(self.play, "says_that_it_waits", lambda *_: self.since_start() >= self.waits)

    def since_start(self) -> float:
        return self.hands.at - 100

    def listens(self) -> frozenset[int]:
        ports = [ports for at, ports in self.ports if self.since_start() >= at][-1]
        if ports is None:
            raise ToolFailed("no answer")
        return ports

    def __call__(self) -> Any:
        return self.play.watched_outside(World().nodes[2], 100.0)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_one_that_has_said_for_5_s_that_it_waits_is_outside(watched: Watched) -> None:
    watched.waits = 9
    seen = watched()
    assert (seen.served, seen.waits_for, seen.is_certain) == (frozenset(), 5.0, True)
    assert seen.lasted == 14


def test_one_that_says_so_and_goes_on_is_seen(watched: Watched) -> None:
    watched.waits = 9
    watched.ports.append((10.5, CLUSTER | {15672}))
    assert watched().served == {15672}


def test_a_silent_one_is_watched_for_35_s(watched: Watched) -> None:
    seen = watched()
    assert (seen.served, seen.waits_for, seen.is_certain) == (frozenset(), None, True)
    assert seen.lasted == watched.play.KEPT_OUT


@pytest.mark.parametrize("at", [0, 20, 34])
def test_one_that_serves_is_seen_whatever_its_log_says_later(watched: Watched, at: float) -> None:
    watched.ports.append((at, CLUSTER | {5672}))
    watched.waits = 34.5
    assert watched().served == {5672}


def test_looks_that_fail_are_none_and_without_any_nothing_is_certain(watched: Watched) -> None:
    watched.ports = [(0, None)]
    seen = watched()
    assert (seen.looks, seen.is_certain) == (0, False)


def test_one_look_late_is_enough(watched: Watched) -> None:
    watched.ports = [(0, None), (40, CLUSTER)]
    seen = watched()
    assert (seen.looks, seen.lasted, seen.is_certain) == (1, 40, True)
