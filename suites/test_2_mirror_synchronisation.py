"""Chapter 2, mirror synchronisation and promotion, on lines that mirror classic queues."""

from __future__ import annotations

import limits
import pytest
from oracle import BROKER_KILL, tried, universal
from plays.leader_killed import the_leaders_node_is_killed
from plays.misnamed import MISNAMED, NAMED, POLICY
from plays.policies import NEW, OLD, mirroring_policies_are_set_changed_and_removed
from plays.restarts_with_sync import FILLED as FILLED_BEFORE
from plays.restarts_with_sync import MORE, two_restarts_of_a_queue_that_synchronises_by_itself
from plays.restarts_without_sync import FILLED, two_restarts_with_and_without_a_sync_between
from plays.settled import AFTER, GONE_FOR_GOOD, HALF
from plays.unsettled import the_leaders_node_is_killed_under_unsettled_messages

from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost
from pytest_rmqha.checkers.observed import loss_is_seen, observed
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.waiting import seconds

blamed = limits.blamed

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
def test_a_queue_with_exactly_two_replicas_gets_a_new_unsynced_mirror_when_its_mirror_dies(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed)

    assert seen.victim in seen.two_replicas_before and len(seen.two_replicas_before) == 2
    assert seen.victim not in seen.two_replicas_during and len(seen.two_replicas_during) == 2
    new = seen.two_replicas_during - seen.two_replicas_before
    assert new and not new & seen.two_in_sync_during, (
        f"new mirror {set(new)}, in sync at once: {set(seen.two_in_sync_during)}"
    )
    verify(seen.history, *universal(budget("publishing", seconds(15)), budget, blamed))


@pytest.mark.rmq_scenario("S3")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_the_same_two_restarts_keep_everything_when_the_queue_synchronises_by_itself(observe, budget, blamed):
    seen = observe(two_restarts_of_a_queue_that_synchronises_by_itself)

    everything = sum(stream.confirmed.count() for stream in seen.streams)
    tried(everything == FILLED_BEFORE + MORE, f"{everything} of {FILLED_BEFORE + MORE} messages were confirmed")
    tried(seen.in_sync_without_first == {seen.second}, f"in sync without {seen.first}: {seen.in_sync_without_first}")
    tried(seen.led_without_first == seen.second, f"{seen.led_without_first} led while {seen.first} was stopped")
    assert seen.led_without_second == seen.first
    assert seen.kept == everything, f"{seen.kept} of {everything} messages were left on the node that had come back"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("S12")
@pytest.mark.rmq_profile("nightly")
def test_replicas_follow_a_policy_that_is_set_changed_and_removed_under_load(observe, budget, blamed):
    seen = observe(mirroring_policies_are_set_changed_and_removed)

    tried(seen.before.members == {seen.home}, f"before any policy the queue was on {set(seen.before.members)}")
    assert len(seen.at_birth.members) == 2, f"born under exactly 2: {set(seen.at_birth.members)}"
    everywhere = {seen.home, seen.second, seen.third}
    of_queues = [{step: replicas[q] for step, replicas in seen.replicas.items()} for q in (OLD, NEW)]
    for replicas in (*of_queues, seen.born):
        members = {step: found.members for step, found in replicas.items()}
        assert members["all"] == everywhere
        assert len(members["exactly 2"]) == 2
        assert members["nodes with the leader"] == {seen.home, seen.third}
        assert members["nodes without the leader"] == {seen.second, seen.third}
        assert len(members["removed"]) == 1, members
    for replicas in of_queues:
        assert replicas["removed"].members < everywhere - {seen.home}, replicas
    assert seen.progressed == tuple(seen.replicas)
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("S13")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_a_policy_whose_pattern_matches_nothing_mirrors_nothing(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed_under_unsettled_messages)
    pair = seen.misnamed

    tried(POLICY in pair.policies_in_vhost, f"policies there: {set(pair.policies_in_vhost)}")
    tried(pair.policy_in_force[NAMED] == POLICY, f"the twin's policy: {pair.policy_in_force[NAMED] or 'none'}")
    tried(len(pair.copies[NAMED]) == 3 and pair.twin_led_by != seen.victim, f"the twin has {set(pair.copies[NAMED])}")
    judge(
        observed(
            "a_policy_that_matches_nothing_mirrors_nothing",
            not pair.policy_in_force[MISNAMED]
            and pair.copies[MISNAMED] == {seen.victim}
            and "down or inaccessible" in pair.asked,
            f"{MISNAMED}: policy {pair.policy_in_force[MISNAMED] or 'none'}, copies on {', '.join(pair.copies[MISNAMED])}; "
            f"with {seen.victim} dead a client is told: {pair.asked}; its twin {NAMED} was led by {pair.twin_led_by}",
        )
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("S14")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_what_was_acknowledged_or_purged_does_not_come_back_from_a_promoted_mirror(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed_under_unsettled_messages)
    settled = seen.settled

    tried(settled.acked == HALF, f"{settled.acked} of {HALF} messages were acknowledged")
    assert settled.kept_delivered_while_away == HALF
    assert settled.after_purge_delivered_while_away == AFTER
    assert settled.came_back == dict.fromkeys(GONE_FOR_GOOD, 0), f"came back: {settled.came_back}"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))
