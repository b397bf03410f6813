"""Short names for the scenarios: what the plugin calls ``rmq_x`` is ``x`` here."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def observe(rmq_observe: Callable[..., Any]) -> Callable[..., Any]:
    return rmq_observe


@pytest.fixture
def stage(rmq_stage: Any) -> Any:
    return rmq_stage


@pytest.fixture
def ours_or(rmq_settings: Any) -> Callable[[Any, Any], Any]:
    """``ours_or(exact, promised)``: what the reference's own settings make likely, or on other files what every stack owes."""
    return lambda exact, promised: exact if rmq_settings.is_reference else promised


@pytest.fixture
def budget(rmq_budget: Any) -> Any:
    return rmq_budget
