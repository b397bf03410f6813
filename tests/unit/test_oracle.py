"""The universal oracle: what it judges, and how long its consumers may wait."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from pytest_rmqha.budgets import Budgets
from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.history import Gap, History, Sample, Stream
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
        "quiet_clients_are_served_within(15 s)",
    ]
    assert named(oracle.universal(seconds(3)))[-1] == "quiet_clients_are_served_within(15 s)"
    assert named(oracle.universal(seconds(120)))[-1] == "quiet_clients_are_served_within(120 s)"
    assert named(oracle.universal(seconds(15), prober=False))[-1] == "delivery_stalls_for_at_most(20 s)"


@pytest.mark.parametrize(("stall", "delivery"), [(3, 20), (10, 20), (15, 20), (25, 30), (120, 125)])
def test_consumers_may_wait_5_s_longer_and_never_less_than_20(oracle: Any, stall: float, delivery: float) -> None:
    assert oracle.deliveries(seconds(stall)) == seconds(delivery)


def test_what_somebody_states_for_deliveries_wins(oracle: Any) -> None:
    stated = Budgets({"delivery": 7.0, "connecting": 4.0})

    assert named(oracle.universal(seconds(15), stated))[-2:] == [
        "delivery_stalls_for_at_most(7 s)",
        "quiet_clients_are_served_within(4 s)",
    ]
    assert named(oracle.universal(seconds(15), Budgets()))[-2] == "delivery_stalls_for_at_most(20 s)"


def test_a_loss_and_a_stall_end_with_the_lines_that_govern_them_and_nothing_else_does(oracle: Any) -> None:
    load = Stream("p.q", "q", 3, confirmed=Bitmap.of(1, 2), delivered=Bitmap.of(1), repeated=Bitmap.of())
    gaps = (Gap("p.q", "publish", 1.0, 9.0), Gap("c.q", "deliver", 1.0, 9.0))
    history = History((load,), gaps=gaps, unexpected=Sample(1, ("q: m7",)), window=(0.0, 10.0))
    stated = Budgets({"delivery": 2.0})

    reasons = {c.__name__: c(history).reason for c in oracle.universal(seconds(2), stated, lambda m: f"; see {m}")}

    assert reasons["nothing_confirmed_is_lost"].endswith("; see loss")
    assert reasons["publishing_stalls_for_at_most(2 s)"].endswith("; see stall")
    assert reasons["delivery_stalls_for_at_most(2 s)"].endswith("; see stall")
    assert reasons["quiet_clients_are_served_within(15 s)"] == "nothing happened: no prober was there"
    assert reasons["nothing_comes_from_nowhere"] and sum("; see" in reason for reason in reasons.values()) == 3
    assert named(oracle.keeping()) == named(oracle.UNIVERSAL)
