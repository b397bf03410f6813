"""Chapter 1, node failure: one broker dies or leaves, and what its queues and its clients are left with."""

from __future__ import annotations

import limits
import pytest
from limits import kept
from oracle import BROKER_KILL, tried, universal
from plays.app_stopped import the_leaders_app_is_stopped
from plays.followers import MESSAGES, a_followers_node_is_killed
from plays.held_batch import BATCH
from plays.leader_killed import the_leaders_node_is_killed
from plays.leader_stopped import the_leaders_node_is_stopped
from plays.restarts_with_sync import two_restarts_of_a_queue_that_synchronises_by_itself
from plays.short_freezes import EARLIEST, the_leaders_node_is_frozen_for_half_the_tick_time
from plays.unmirrored import ACCEPTED, ANEW, DURABLE, FLEETING, PERSISTENT, VANISHING
from plays.unsettled import BATCHES, ONE, the_leaders_node_is_killed_under_unsettled_messages

from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip")
blamed = limits.blamed
RIGHT_AFTER = 1.0


def survivors_lead(seen):
    promoted = f"{seen.mirror_promoted} was promoted, in sync were {sorted(seen.mirrors_in_sync_before)}"
    elected = f"the quorum queue is led by {seen.quorum_leader_elected}, struck was {seen.victim}"
    judge(
        kept("a_mirror_in_sync_is_promoted", seen.mirror_promoted in seen.mirrors_in_sync_before, promoted),
        kept("another_leader_is_elected", seen.quorum_leader_elected != seen.victim, elected),
    )


@pytest.mark.rmq_scenario("N1")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_killing_the_leader_promotes_a_synced_mirror_and_elects_a_quorum_leader(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed)

    survivors_lead(seen)
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N2")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_stopping_the_leader_hands_its_queues_over_without_loss(observe, budget, blamed):
    seen = observe(the_leaders_node_is_stopped)

    survivors_lead(seen)
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N5")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_clients_of_a_killed_node_reconnect_and_a_queue_led_elsewhere_is_untouched(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed)

    tried(seen.clients_on_victim, "no client of the queue led elsewhere was connected to the killed node")
    before, after = seen.leader_elsewhere_before, seen.leader_elsewhere_after
    away = sorted(set(seen.clients_on_victim) - set(seen.reconnected))
    said = (
        f"{len(away)} of {len(seen.clients_on_victim)} clients of {seen.victim} did not connect again, budget 0: {away}"
    )
    judge(
        kept("a_queue_led_elsewhere_is_untouched", before == after, f"its leader was {before}, then {after}"),
        kept("clients_of_the_killed_node_reconnect", not away, said, blamed("sessions")),
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N15")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_an_unmirrored_durable_queue_is_out_of_reach_until_its_killed_home_returns(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed)

    assert "404" in seen.plain_redeclared or "NOT_FOUND" in seen.plain_redeclared, seen.plain_redeclared
    assert "down or inaccessible" in seen.plain_redeclared, seen.plain_redeclared
    tried(seen.plain_persistent_before, "the unmirrored queue was empty")
    wanted, left = seen.plain_persistent_before, seen.plain_counts_after
    counts = f"messages in it by each node's count: {left}, {wanted} had to be"
    judge(kept("what_its_home_kept_is_there_again", left == dict.fromkeys(left, wanted), counts))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N3")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_killing_a_mirror_and_follower_leaves_the_leaders_where_they_are(observe, budget, blamed):
    seen = observe(a_followers_node_is_killed)

    for queue, before in seen.before.items():
        tried(seen.victim in before.in_sync - {before.leader}, f"{seen.victim} was no follower of {queue} in sync")
        tried(seen.victim not in seen.during[queue].in_sync, f"{queue} did not miss {seen.victim}")
        leaders = (before.leader, seen.during[queue].leader, seen.after[queue].leader)
        assert set(leaders) == {before.leader}, f"{queue} was led by {leaders} before, during and after the kill"
        assert seen.victim in seen.after[queue].in_sync, f"{queue} has {seen.after[queue].in_sync} in sync afterwards"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N16")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_a_queue_works_through_a_node_that_is_not_its_home_and_the_price_is_measured(observe, budget, blamed):
    seen = observe(a_followers_node_is_killed)

    for passage in seen.passages:
        tried(passage.peers == {passage.address}, f"{passage} went through {set(passage.peers)}")
    elsewhere = [p for p in seen.passages if not p.is_home]
    tried(elsewhere and len(elsewhere) * 2 == len(seen.passages), "each queue has to be measured at home and elsewhere")
    judge(
        observed(
            "a_queue_works_through_any_node",
            all(p.confirmed == p.delivered == MESSAGES for p in seen.passages),
            f"{MESSAGES} messages each, published and consumed: {', '.join(map(str, seen.passages))}",
        )
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N4")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_a_message_confirmed_just_before_the_leader_dies_is_on_the_survivors(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed_under_unsettled_messages)

    tried(seen.killed_after < RIGHT_AFTER, f"the node was dead {seen.killed_after:.2f} s after the confirm only")
    assert seen.one_delivered == dict.fromkeys(ONE, 1), f"delivered by survivors: {seen.one_delivered}"
    led = [queue for queue in ONE if seen.leaders[queue] == seen.victim]
    judge(kept("another_leader_is_elected", not led, f"still led by the killed {seen.victim}, budget 0: {led}"))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N7")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_a_prefetched_batch_is_requeued_when_the_leader_dies_and_comes_again_as_redelivered(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed_under_unsettled_messages)

    assert seen.redelivered == BATCH, f"{seen.redelivered} of {BATCH} came again from the promoted mirror"
    assert seen.delivery_counts == {1: BATCH}, f"x-delivery-count -> messages: {seen.delivery_counts}"
    for queue, batch in seen.batches.items():
        assert batch.repeated.count() == BATCH, f"{batch.repeated.count()} of {BATCH} in {queue} came again"
        assert not batch.unflagged.count, f"{batch.unflagged.count} came again in {queue} without being flagged"
    assert set(seen.batches) == set(BATCHES)
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N10")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_a_freeze_of_half_the_tick_time_stalls_publishers_and_is_no_partition(observe, budget, blamed):
    seen = observe(the_leaders_node_is_frozen_for_half_the_tick_time)

    half, noticed = seen.tick_time / 2, seen.tick_time * EARLIEST
    tried(half <= seen.frozen_for < noticed, f"frozen for {seen.frozen_for:.1f} s, wanted {half} to {noticed} s")
    stalled = seen.stalled_for["ha.load"]
    tried(stalled > half / 2, f"the publisher of the frozen leader's queue stalled for {stalled:.1f} s")
    assert seen.leaders_before["ha.load"] == seen.leaders_after["ha.load"] == seen.victim, (
        f"ha.load was led by {seen.leaders_before['ha.load']}, now by {seen.leaders_after['ha.load']}: taken for dead"
    )
    assert not any(seen.partitions.values()), f"partitioned: {seen.partitions}"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N14")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_stopping_the_app_hands_the_queues_over_while_the_node_stays_reachable(observe, budget, blamed):
    seen = observe(the_leaders_app_is_stopped)

    tried(seen.container == "running", f"the container was {seen.container}")
    tried(seen.runs_inside == "false", f"the Erlang node was asked whether a broker runs in it: {seen.runs_inside}")
    survivors_lead(seen)
    assert seen.redelivered == BATCH, f"{seen.redelivered} of {BATCH} held messages came again"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


def only_what_is_durable_and_persistent_outlives_its_homes_absence(seen):
    home, away, after, delivered = seen.home, seen.away, seen.after, seen.delivered

    tried(seen.parked.copies == {DURABLE: {home}, FLEETING: {home}}, f"copies before: {seen.parked.copies}")
    for answer in (away.asked, away.redeclared):
        assert "NOT_FOUND" in answer and "down or inaccessible" in answer, answer
    assert away.fleeting_redeclared == ACCEPTED, away.fleeting_redeclared
    assert away.fleeting_home not in (None, home), f"declared anew on {away.fleeting_home}"
    assert len(after.counts) == 3 and set(after.counts.values()) == {PERSISTENT}, f"counts afterwards: {after.counts}"
    assert after.copies == {home}, f"copies afterwards: {set(after.copies)}"
    expected = dict.fromkeys(VANISHING, 0) | {"durable.persistent": PERSISTENT, "fleeting.anew": ANEW}
    assert delivered == expected, f"delivered: {delivered}"


@pytest.mark.rmq_scenario("N15")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_of_unmirrored_queues_a_kill_of_their_home_leaves_what_is_durable_and_persistent(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed_under_unsettled_messages)

    only_what_is_durable_and_persistent_outlives_its_homes_absence(seen.unmirrored)
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N15")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_of_unmirrored_queues_a_stop_of_their_home_leaves_what_is_durable_and_persistent(observe, budget, blamed):
    seen = observe(two_restarts_of_a_queue_that_synchronises_by_itself)

    only_what_is_durable_and_persistent_outlives_its_homes_absence(seen.unmirrored)
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("N15")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("mirrors", "quorum")
def test_of_unmirrored_queues_a_stop_of_their_homes_app_leaves_what_is_durable_and_persistent(observe, budget, blamed):
    seen = observe(the_leaders_app_is_stopped)

    only_what_is_durable_and_persistent_outlives_its_homes_absence(seen.unmirrored)
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))
