"""The universal oracle: what every scenario with a load is held to, whatever its fault."""

from __future__ import annotations

import pytest

from pytest_rmqha.checkers.availability import publishing_stalls_for_at_most
from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.ordering import order_is_kept
from pytest_rmqha.checkers.verdict import Checker
from pytest_rmqha.errors import NoVerdict
from pytest_rmqha.waiting import Budget, seconds

BROKER_KILL = seconds(15)
BALANCER_FAILOVER = seconds(10)
SILENT_PARTITION = seconds(25)
COLD_START = seconds(120)

BOOTED_AGAIN = pytest.mark.rmq_allows_log(
    r"the broker ended with 1 by itself",
    reason="brokers that boot at the same moment can fail with incompatible_feature_flags; the unit starts them again",
)

UNIVERSAL: tuple[Checker, ...] = (nothing_confirmed_is_lost, nothing_comes_from_nowhere, repeats_say_so, order_is_kept)


def universal(stall: Budget) -> tuple[Checker, ...]:
    """The universal oracle and the longest stretch without a confirmed publish."""
    return (*UNIVERSAL, publishing_stalls_for_at_most(stall))


def tried(condition: object, why: str) -> None:
    """What had to be there for the scenario to prove anything; without it there is no verdict, neither green nor red."""
    if not condition:
        raise NoVerdict(f"nothing was tried: {why}")
