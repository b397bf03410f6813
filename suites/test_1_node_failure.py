"""Chapter 1, node failure: one broker dies or leaves, and what its queues and its clients are left with."""

from __future__ import annotations

import pytest
from oracle import BROKER_KILL, tried, universal
from plays.leader_killed import the_leaders_node_is_killed
from plays.leader_stopped import the_leaders_node_is_stopped

from pytest_rmqha.checkers.verdict import verify

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip")


@pytest.mark.rmq_scenario("N1")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_killing_the_leader_promotes_a_synced_mirror_and_elects_a_quorum_leader(observe):
    seen = observe(the_leaders_node_is_killed)

    assert seen.mirror_promoted in seen.mirrors_in_sync_before, (
        f"{seen.mirror_promoted} was promoted, in sync were {seen.mirrors_in_sync_before}"
    )
    assert seen.quorum_leader_elected != seen.victim
    verify(seen.history, *universal(BROKER_KILL))


@pytest.mark.rmq_scenario("N2")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_stopping_the_leader_hands_its_queues_over_without_loss(observe):
    seen = observe(the_leaders_node_is_stopped)

    assert seen.mirror_promoted in seen.mirrors_in_sync_before
    assert seen.quorum_leader_elected != seen.victim
    verify(seen.history, *universal(BROKER_KILL))


@pytest.mark.rmq_scenario("N5")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_clients_of_a_killed_node_reconnect_and_a_queue_led_elsewhere_is_untouched(observe):
    seen = observe(the_leaders_node_is_killed)

    tried(seen.clients_on_victim, "no client of the queue led elsewhere was connected to the killed node")
    assert seen.leader_elsewhere_after == seen.leader_elsewhere_before
    assert set(seen.clients_on_victim) <= set(seen.reconnected), (
        f"reconnected: {seen.reconnected}, cut off: {seen.clients_on_victim}"
    )
    verify(seen.history, *universal(BROKER_KILL))


@pytest.mark.rmq_scenario("N15")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_an_unmirrored_durable_queue_is_out_of_reach_until_its_killed_home_returns(observe):
    seen = observe(the_leaders_node_is_killed)

    assert "404" in seen.plain_redeclared or "NOT_FOUND" in seen.plain_redeclared, seen.plain_redeclared
    assert "down or inaccessible" in seen.plain_redeclared, seen.plain_redeclared
    tried(seen.plain_persistent_before, "the unmirrored queue was empty")
    assert seen.plain_counts_after == dict.fromkeys(seen.plain_counts_after, seen.plain_persistent_before)
    verify(seen.history, *universal(BROKER_KILL))
