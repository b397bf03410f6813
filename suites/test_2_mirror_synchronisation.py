"""Chapter 2, mirror synchronisation and promotion, on lines that mirror classic queues."""

from __future__ import annotations

import pytest
from oracle import tried, universal
from plays.leader_killed import the_leaders_node_is_killed
from plays.restarts_without_sync import FILLED, two_restarts_with_and_without_a_sync_between

from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost
from pytest_rmqha.checkers.observed import loss_is_seen
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.waiting import seconds

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors")


@pytest.mark.rmq_scenario("S1")
def test_two_restarts_without_syncing_lose_the_queue_when_unsynced_mirrors_may_be_promoted(observe):
    seen = observe(two_restarts_with_and_without_a_sync_between)

    tried(seen.confirmed["unsynced"] == FILLED, f"{seen.confirmed['unsynced']} of {FILLED} messages were confirmed")
    tried(seen.unsynced_replicas_before_second, "the mirror was in sync before the second restart")
    assert seen.left["unsynced"] == 0, (
        f"{seen.left['unsynced']} of {FILLED} messages were still there: the loss was not seen"
    )
    judge(loss_is_seen(seen.unsynced, FILLED))


@pytest.mark.rmq_scenario("S2")
def test_the_same_two_restarts_keep_everything_when_the_queue_is_synced_between(observe):
    seen = observe(two_restarts_with_and_without_a_sync_between)

    tried(seen.confirmed["synced"] == FILLED, f"{seen.confirmed['synced']} of {FILLED} messages were confirmed")
    assert seen.left["synced"] == FILLED
    verify(seen.history_of_synced, nothing_confirmed_is_lost, nothing_comes_from_nowhere)


@pytest.mark.rmq_scenario("S10")
@pytest.mark.rmq_requires("quorum")
def test_a_queue_with_exactly_two_replicas_gets_a_new_unsynced_mirror_when_its_mirror_dies(observe):
    seen = observe(the_leaders_node_is_killed)

    assert seen.victim in seen.two_replicas_before and len(seen.two_replicas_before) == 2
    assert seen.victim not in seen.two_replicas_during and len(seen.two_replicas_during) == 2
    new = seen.two_replicas_during - seen.two_replicas_before
    assert new and not new & seen.two_in_sync_during, (
        f"new mirror {set(new)}, in sync at once: {set(seen.two_in_sync_during)}"
    )
    verify(seen.history, *universal(seconds(15)))
