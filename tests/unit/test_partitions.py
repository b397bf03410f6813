"""What the plays of partitions make of a history: who was served again when, and whose wait is nobody's."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from pytest_rmqha.workload.history import Gap, History
from tests.gate.scenarios import SUITES


@pytest.fixture
def partitions(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return importlib.import_module("plays.partitions")


HEALED = 10.0


@pytest.mark.parametrize(
    ("gap", "after"),
    [
        (Gap("p", "publish", 4, 9), 0),
        (Gap("p", "publish", 4, 13), 3),
        (Gap("p", "publish", 10.4, 45), 34.6),
        (Gap("c", "deliver", 8, 16), 6),
        (Gap("c", "deliver", 12, 20), 8),
        (Gap("c", "deliver", 49.5, 90), 0),
    ],
)
def test_served_again_is_the_longest_stretch_after_the_heal_whenever_it_began(
    partitions: Any, gap: Gap, after: float
) -> None:
    history = History(streams=(), gaps=(gap,), rates={"publish": ((50.0, 3),)}, window=(0, 50))

    assert partitions.served_again_after(history, HEALED) == pytest.approx(after)


def test_nobody_stood_still_after_the_heal(partitions: Any) -> None:
    assert partitions.served_again_after(History(streams=()), HEALED) == 0


def test_the_pinned_publisher_and_its_consumer_are_no_clients_of_the_vip(partitions: Any) -> None:
    gaps = (Gap("pinned", "publish", 1, 9), Gap("c.pinned", "deliver", 2, 40), Gap("c.ha.load", "deliver", 3, 4))
    seen = partitions.Isolation(History(streams=(), gaps=gaps), 5.0, True)

    assert seen.through_the_vip.gaps == gaps[2:]
