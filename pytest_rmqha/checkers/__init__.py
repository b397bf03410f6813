"""Checkers: pure functions from a history (or from timeline events) to a verdict. None of them does I/O."""

from pytest_rmqha.checkers.availability import (
    delivery_stalls_for_at_most,
    new_connections_are_served_within,
    publishing_stalls_for_at_most,
)
from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.ordering import order_is_kept
from pytest_rmqha.checkers.promotion import election, promoted
from pytest_rmqha.checkers.verdict import Checker, Outcome, Verdict, judge, recording, verify
from pytest_rmqha.checkers.vip import holder_moved, one_holder_outside_transitions

__all__ = [
    "Checker",
    "Outcome",
    "Verdict",
    "delivery_stalls_for_at_most",
    "election",
    "holder_moved",
    "judge",
    "new_connections_are_served_within",
    "nothing_comes_from_nowhere",
    "nothing_confirmed_is_lost",
    "one_holder_outside_transitions",
    "order_is_kept",
    "promoted",
    "publishing_stalls_for_at_most",
    "recording",
    "repeats_say_so",
    "verify",
]
