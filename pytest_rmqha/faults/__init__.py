"""Faults as values. One subject per module; ``fault`` is the value itself, ``combine`` its algebra."""

from pytest_rmqha.faults.combine import in_turn, together
from pytest_rmqha.faults.fault import Fault

__all__ = ["Fault", "in_turn", "together"]
