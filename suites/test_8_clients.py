"""Chapter 8, clients: what a client may believe, and what it has to do itself."""

from __future__ import annotations

import limits
import pytest
from limits import kept, within
from oracle import BALANCER_FAILOVER, BROKER_KILL, keeping, tried, universal
from plays.habits import BESIDE, SENT_INTO_THE_VOID, unsafe_clients_share_a_broker_that_dies
from plays.leader_killed import the_leaders_node_is_killed
from plays.left_behind import the_vip_leaves_consumers_behind
from plays.ways_back import the_clients_broker_is_killed

from pytest_rmqha.checkers.observed import loss_is_seen, observed
from pytest_rmqha.checkers.verdict import judge, verify

blamed = limits.blamed

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")


@pytest.mark.rmq_scenario("K1")
def test_a_publish_whose_connection_died_is_unknown_and_a_republish_settles_it(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed)

    flood = seen.fate
    tried(seen.unknown_after_kill, "no publish was left without an answer")
    assert flood.republished.count() == seen.unknown_after_kill
    assert flood.unknown.count() == 0, f"{flood.unknown.count()} republished messages have no answer either"
    arrived_twice = (flood.republished & flood.repeated).count()
    arrived = (flood.republished & flood.delivered).count()
    assert arrived == seen.unknown_after_kill, (
        f"{arrived} of {seen.unknown_after_kill} arrived, {arrived_twice} of them twice"
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("K4")
def test_a_consumer_whose_broker_died_is_subscribed_once_again_and_gets_deliveries(observe, budget, blamed):
    seen = observe(the_clients_broker_is_killed)

    tried(
        seen.consumers_before == seen.wanted, f"{seen.consumers_before} consumers of {seen.wanted} were there at first"
    )
    first = f"the first delivery to {seen.returned} came"
    said = f"{seen.consumers_after} consumers are counted, {seen.wanted} there are"
    judge(
        within("deliveries_flow_again", seen.delivered_again_after, BROKER_KILL, first),
        kept("subscribed_once_again", seen.consumers_after == seen.wanted, said),
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("K4")
def test_a_consumer_whose_vip_moved_away_is_subscribed_again_and_leaves_no_zombie_behind(observe, budget, blamed):
    seen = observe(the_vip_leaves_consumers_behind)

    tried(
        seen.before == seen.everybody,
        f"{seen.before} subscriptions of {seen.everybody} were counted while the load ran",
    )
    tried(seen.again, "no consumer had to subscribe again when the VIP moved")
    left = f"{seen.before} subscriptions before, {seen.most} at most after the VIP had moved, {seen.at_last} at last"
    said = f"{left}, {seen.gone_after:.1f} s after the fault; as many as before are wanted"
    judge(kept("no_zombie_consumer", seen.at_last == seen.before, said))
    verify(seen.history, *universal(budget("publishing", BALANCER_FAILOVER), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("K9")
def test_a_list_of_brokers_a_short_lived_name_and_the_vip_each_lead_back_in_time(observe, budget, blamed):
    seen = observe(the_clients_broker_is_killed)

    for way, was_there in seen.on_victim_before.items():
        tried(was_there, f"the client {way} was not connected to the broker that died")
    side_by_side = ", ".join(f"{way} {took:.1f} s" for way, took in seen.back_after.items())
    said = f"from the broker's death to the first confirm: {side_by_side} (inf: never)"
    changed = f"the name led elsewhere after {seen.name_changed_after:.1f} s, budget {BROKER_KILL} for each"
    slowest = max(seen.back_after.values())
    judge(observed("each_way_leads_back", slowest < BROKER_KILL.seconds, f"{said}; {changed}"))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("K11")
def test_publishing_without_confirms_loses_messages_and_nobody_is_told(observe):
    seen = observe(unsafe_clients_share_a_broker_that_dies)

    tried(
        seen.sent_while_frozen >= SENT_INTO_THE_VOID, f"{seen.sent_while_frozen} messages were sent to the dying broker"
    )
    tried(seen.unconfirmed.delivered.count(), "nobody read the queue without confirms")
    tried(not seen.left, f"{seen.left} messages still wait: they are not lost")
    lost = f"{seen.never_arrived} of {seen.unconfirmed.attempted} messages never arrived"
    judge(
        observed(
            "loss_is_seen", seen.never_arrived > 0, f"{lost}, {seen.sent_while_frozen} were sent in the last moments"
        )
    )


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("K11")
def test_automatic_acknowledgement_loses_what_was_on_its_way_to_the_consumer(observe):
    seen = observe(unsafe_clients_share_a_broker_that_dies)

    tried(
        0 < seen.taken_before_freeze < seen.backlog,
        f"the consumer had {seen.taken_before_freeze} of {seen.backlog} messages when the broker froze",
    )
    tried(not seen.left, f"{seen.left} messages still wait: they are not lost")
    judge(loss_is_seen(seen.auto_acked, 1))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("K11")
def test_transient_messages_in_a_durable_queue_are_gone_with_their_broker_although_confirmed(observe):
    seen = observe(unsafe_clients_share_a_broker_that_dies)

    kept = seen.beside.delivered.count()
    tried(
        kept == BESIDE,
        f"{kept} of {BESIDE} persistent messages in the same queue were read: it was not read to its end",
    )
    judge(loss_is_seen(seen.transient, seen.transient.confirmed.count() or 1))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("K11", kind="promise")
def test_a_careful_client_of_the_same_broker_loses_nothing(observe, blamed):
    seen = observe(unsafe_clients_share_a_broker_that_dies)

    verify(seen.careful, *keeping(blamed))
