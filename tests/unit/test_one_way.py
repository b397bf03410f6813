"""A one-way cut: who pauses at any moment until it is mended, and that nobody pausing is a value, not an error."""

from __future__ import annotations

import functools
import importlib
import math
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha.waiting import await_match
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Hands, World


class Cut:
    """``refuses``: broker -> from when until when (seconds after the cut) it takes no clients."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.syspath_prepend(str(SUITES))
        self.play: Any = importlib.import_module("plays.one_way")
        self.hands = Hands()
        self.refuses: dict[str, tuple[float, float]] = {}
        self.partitions: Any = importlib.import_module("plays.partitions")
        waits = functools.partial(await_match, clock=self.hands.now, sleep=self.hands.sleep)
        for play in (self.play, self.partitions):
            patch.setattr(play, "await_match", waits)
            patch.setattr(play, "clock", SimpleNamespace(now=self.hands.now))
        patch.setattr(self.partitions, "_listens", self.takes_clients)
        self.stage = SimpleNamespace(cluster=World().cluster)

    def all_that_pause(self) -> frozenset[str]:
        found: frozenset[str] = self.partitions.all_that_pause(self.stage, self.play.LOOKED_ON)
        return found

    def takes_clients(self, node: object) -> bool:
        begin, end = self.refuses.get(str(node), (math.inf, math.inf))
        return not begin <= self.hands.at - 100 < end


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Cut:
    return Cut(monkeypatch)


def test_a_cut_that_nobody_notices_is_noticed_never(cut: Cut) -> None:
    assert cut.play._await_noticed(cut.stage, 100.0) == math.inf


def test_it_is_noticed_when_the_first_one_pauses(cut: Cut) -> None:
    cut.refuses = {"rmq1": (8, 99), "rmq2": (10, 99)}
    assert cut.play._await_noticed(cut.stage, 100.0) == pytest.approx(8, abs=0.3)


def test_a_third_that_pauses_for_a_moment_is_seen(cut: Cut) -> None:
    cut.refuses = {"rmq1": (0, 99), "rmq2": (1, 99), "rmq3": (4, 4.5)}
    assert cut.all_that_pause() == {"rmq1", "rmq2", "rmq3"}


def test_the_pair_alone_is_watched_to_the_end(cut: Cut) -> None:
    cut.refuses = {"rmq1": (0, 99), "rmq2": (5, 99)}
    assert cut.all_that_pause() == {"rmq1", "rmq2"}
    assert cut.hands.at - 100 == pytest.approx(cut.play.LOOKED_ON.seconds, abs=0.3)
