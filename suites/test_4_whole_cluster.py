"""Chapter 4, whole-cluster stop and start: everything goes down, and comes back in an order somebody chose."""

from __future__ import annotations

import pytest
from oracle import COLD_START, tried, universal
from plays.whole_cluster import (
    PERSISTENT,
    everything_is_killed_at_once,
    the_first_stopped_starts_and_the_last_one_joins_in_time,
    the_last_stopped_starts_first,
)

from pytest_rmqha.checkers.verdict import verify

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors")


@pytest.mark.rmq_scenario("B1")
def test_a_cluster_that_starts_with_the_node_stopped_last_keeps_everything(observe):
    seen = observe(the_last_stopped_starts_first)

    assert seen.whole_after < COLD_START.seconds, f"whole {seen.whole_after:.1f} s after the last start"
    assert seen.left == dict.fromkeys(seen.left, PERSISTENT)
    verify(seen.history, *universal(COLD_START))


@pytest.mark.rmq_scenario("B3")
def test_the_first_stopped_node_waits_for_the_last_one_and_all_join(observe):
    seen = observe(the_first_stopped_starts_and_the_last_one_joins_in_time)

    assert seen.waited_alone, "the first-stopped node booted without the others: it was not seen waiting"
    assert seen.whole_after < COLD_START.seconds, f"whole {seen.whole_after:.1f} s after the last start"
    assert seen.left == dict.fromkeys(seen.left, PERSISTENT)
    verify(seen.history, *universal(COLD_START))


@pytest.mark.rmq_scenario("B7")
def test_killing_every_broker_at_once_keeps_what_was_confirmed_and_persistent(observe):
    seen = observe(everything_is_killed_at_once)

    assert seen.whole_after < COLD_START.seconds, f"whole {seen.whole_after:.1f} s after the last start"
    tried(seen.transient_before, "no transient message was there")
    assert seen.left == dict.fromkeys(seen.left, PERSISTENT), (
        f"left: {seen.left}; of {seen.transient_before} transient ones none may be"
    )
    verify(seen.history, *universal(COLD_START))
