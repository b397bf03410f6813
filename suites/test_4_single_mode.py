"""Chapter 4 on the ``1node`` topology: what a restart of the single mode keeps."""

from __future__ import annotations

import pytest
from oracle import COLD_START, universal
from plays.single_mode import PERSISTENT, the_only_broker_is_killed, the_only_broker_is_stopped

from pytest_rmqha.checkers.verdict import verify

pytestmark = pytest.mark.rmq_requires("single")


@pytest.mark.rmq_scenario("B13")
def test_a_stopped_single_broker_keeps_durable_queues_and_persistent_messages(observe, budget):
    seen = observe(the_only_broker_is_stopped)

    assert seen.left == PERSISTENT, f"{seen.left} messages left, {PERSISTENT} were persistent"
    verify(seen.history, *universal(budget("publishing", COLD_START)))


@pytest.mark.rmq_scenario("B13")
def test_a_killed_single_broker_keeps_durable_queues_and_persistent_messages(observe, budget):
    seen = observe(the_only_broker_is_killed)

    assert seen.left == PERSISTENT, f"{seen.left} messages left, {PERSISTENT} were persistent"
    verify(seen.history, *universal(budget("publishing", COLD_START)))
