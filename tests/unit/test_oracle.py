"""The universal oracle: what it judges, and how long its consumers may wait."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from pytest_rmqha.budgets import Budgets
from pytest_rmqha.waiting import seconds
from tests.gate.scenarios import SUITES


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return importlib.import_module("oracle")


def named(checkers: Any) -> list[str]:
    return [checker.__name__ for checker in checkers]


def test_the_oracle_judges_what_consumers_wait_beside_what_publishers_do(oracle: Any) -> None:
    of_all = named(oracle.UNIVERSAL)

    assert named(oracle.universal(seconds(15))) == [
        *of_all,
        "publishing_stalls_for_at_most(15 s)",
        "delivery_stalls_for_at_most(20 s)",
    ]


@pytest.mark.parametrize(("stall", "delivery"), [(3, 20), (10, 20), (15, 20), (25, 30), (120, 125)])
def test_consumers_may_wait_5_s_longer_and_never_less_than_20(oracle: Any, stall: float, delivery: float) -> None:
    assert oracle.deliveries(seconds(stall)) == seconds(delivery)


def test_what_somebody_states_for_deliveries_wins(oracle: Any) -> None:
    stated = Budgets({"delivery": 7.0})

    assert named(oracle.universal(seconds(15), stated))[-1] == "delivery_stalls_for_at_most(7 s)"
    assert named(oracle.universal(seconds(15), Budgets()))[-1] == "delivery_stalls_for_at_most(20 s)"
