"""The universal oracle: what every scenario with a load is held to, whatever its fault."""

from __future__ import annotations

import pytest
from limits import Blamed, nobody, traced

from pytest_rmqha.budgets import Budgets
from pytest_rmqha.checkers.availability import (
    delivery_stalls_for_at_most,
    publishing_stalls_for_at_most,
    quiet_clients_are_served_within,
)
from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.ordering import order_is_kept
from pytest_rmqha.checkers.verdict import Checker
from pytest_rmqha.errors import NoVerdict
from pytest_rmqha.waiting import Budget, seconds

BROKER_KILL = seconds(15)
BALANCER_FAILOVER = seconds(10)
SILENT_PARTITION = seconds(25)
COLD_START = seconds(120)
LISTENING = seconds(5)

BOOTED_AGAIN = pytest.mark.rmq_allows_log(
    r"(the broker ended with 1 by itself|Crash dump is being written).*"
    r"\(boot failed: incompatible_feature_flags, time 1\)",
    reason="a broker that boots at the same moment as its peers can fail so, once; the unit starts it again",
)

UNIVERSAL: tuple[Checker, ...] = (nothing_confirmed_is_lost, nothing_comes_from_nowhere, repeats_say_so, order_is_kept)


def universal(
    stall: Budget, stated: Budgets = Budgets(), blamed: Blamed = nobody, *, prober: bool = True
) -> tuple[Checker, ...]:
    """The universal oracle and the longest stretches without a confirm, a delivery and a connection.

    ``stall`` is the first of them; ``stated`` gives the others, where ``rmq_slo`` has them. ``blamed`` names the lines of the
    judged files that govern a loss or a stall. ``prober``: whether the load had one.
    """
    delivery = stated("delivery", deliveries(stall))
    connecting = stated("connecting", seconds(max(stall.stated, BROKER_KILL.stated)))
    stalls = (publishing_stalls_for_at_most(stall), delivery_stalls_for_at_most(delivery))
    connects = (quiet_clients_are_served_within(connecting),) if prober else ()
    return (*keeping(blamed), *(traced(checker, blamed, "stall") for checker in (*stalls, *connects)))


def keeping(blamed: Blamed = nobody) -> tuple[Checker, ...]:
    """The universal oracle of a load that may stand still."""
    return (traced(nothing_confirmed_is_lost, blamed, "loss"), *UNIVERSAL[1:])


def deliveries(stall: Budget) -> Budget:
    """How long a consumer may get nothing where a publisher may wait for ``stall``: 5 s longer, and never less than 20 s.

    A consumer only listens: of an address that moved it learns from its next heartbeat, 10 s later at most, and a mirror's
    consumers come back after its publishers. Measured where publishers have 15 s or less: 10.7 s at most (V1, N1, P2); where
    they have 25 s: 11.2 s; where they have 120 s: 73 s, as long as the publishers. Nothing needs a budget of its own.
    """
    return seconds(max(stall.stated, BROKER_KILL.stated) + LISTENING.stated)


def tried(condition: object, why: str) -> None:
    """What had to be there for the scenario to prove anything; without it there is no verdict, neither green nor red."""
    if not condition:
        raise NoVerdict(f"nothing was tried: {why}")
