"""What ``--rmq-seed`` stands for: each scenario's random numbers begin with the seed and the test's own name.

So a test draws the same numbers whatever ran before it. Python's ``random`` and ``rmq_random`` draw from it; what happens
in the containers (their clocks, who answers first) does not.
"""

from __future__ import annotations

import random

import pytest

from pytest_rmqha.scenario_record import is_scenario
from pytest_rmqha.session_report import SETTINGS


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if is_scenario(item):
        random.seed(item.config.stash[SETTINGS].seed_of(item.nodeid))


@pytest.fixture
def rmq_random(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of this test alone, the same again with the same ``--rmq-seed``."""
    return random.Random(request.config.stash[SETTINGS].seed_of(request.node.nodeid))
