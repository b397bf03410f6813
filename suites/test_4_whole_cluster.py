"""Chapter 4, whole-cluster stop and start: everything goes down, and comes back in an order somebody chose."""

from __future__ import annotations

import limits
import pytest
from limits import kept, within
from oracle import BOOTED_AGAIN, COLD_START, tried, universal
from plays.both_kinds import KEPT
from plays.cold_starts import PERSISTENT as COLD_PERSISTENT
from plays.cold_starts import (
    TRANSIENT,
    everything_is_killed_and_one_starts_alone,
    everything_stops_and_starts_at_once,
)
from plays.lonely_start import withheld
from plays.whole_cluster import (
    PERSISTENT,
    everything_is_killed_at_once,
    the_first_stopped_starts_and_the_last_one_joins_in_time,
    the_last_stopped_starts_first,
)

from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify

blamed = limits.blamed

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors")


def what_is_left(left, blamed, more=""):
    said = f"messages left by queue: {left}; each had to have {PERSISTENT}{more}"
    whole = bool(left) and left == dict.fromkeys(left, PERSISTENT)
    return kept("persistent_messages_are_left", whole, said, blamed("cold start"))


@BOOTED_AGAIN
@pytest.mark.rmq_scenario("B1")
def test_a_cluster_that_starts_with_the_node_stopped_last_keeps_everything(observe, budget, blamed):
    seen = observe(the_last_stopped_starts_first)

    boot = budget("boot", COLD_START)
    judge(within("whole_again", seen.whole_after, boot, "the cluster was whole", blamed("cold start")))
    judge(what_is_left(seen.left, blamed))
    verify(seen.history, *universal(budget("publishing", COLD_START), budget, blamed))


@BOOTED_AGAIN
@pytest.mark.rmq_scenario("B3")
def test_the_first_stopped_node_waits_for_the_last_one_and_all_join(observe, budget, blamed):
    seen = observe(the_first_stopped_starts_and_the_last_one_joins_in_time)

    said = (
        f"the first-stopped node was {'' if seen.lonely.waited else 'not '}seen waiting for the others: {seen.lonely}"
    )
    judge(kept("the_first_stopped_waits", seen.lonely.waited, said, blamed("cold start")))
    boot = budget("boot", COLD_START)
    judge(within("whole_again", seen.whole_after, boot, "the cluster was whole", blamed("cold start")))
    judge(what_is_left(seen.left, blamed))
    verify(seen.history, *universal(withheld(budget("publishing", COLD_START), seen.lonely), budget, blamed))


@BOOTED_AGAIN
@pytest.mark.rmq_scenario("B7")
def test_killing_every_broker_at_once_keeps_what_was_confirmed_and_persistent(observe, budget, blamed):
    seen = observe(everything_is_killed_at_once)

    boot = budget("boot", COLD_START)
    judge(within("whole_again", seen.whole_after, boot, "the cluster was whole", blamed("cold start")))
    tried(seen.transient_before, "no transient message was there")
    judge(what_is_left(seen.left, blamed, f"; of {seen.transient_before} transient ones none may be"))
    verify(seen.history, *universal(budget("publishing", COLD_START), budget, blamed))


@BOOTED_AGAIN
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("B5")
@pytest.mark.rmq_requires("quorum")
def test_a_cluster_stopped_and_started_all_at_once_boots_with_every_queue_running(observe, budget, blamed):
    seen = observe(everything_stops_and_starts_at_once)

    confirmed, delivered = seen.arrived["persistent.durable"]
    tried(confirmed == COLD_PERSISTENT, f"{confirmed} of {COLD_PERSISTENT} messages were confirmed before the stop")
    boot = budget("boot", COLD_START)
    judge(within("whole_again", seen.whole_after, boot, "the cluster was whole", blamed("cold start")))
    running = {name for name, state in seen.states.items() if state == "running"}
    told = {name: state or "tells none" for name, state in seen.states.items() if state != "running"}
    said = f"not running: {sorted(seen.durable - running) or 'none'}, budget 0; states that were told: {told}"
    came_back = f"{delivered} of {COLD_PERSISTENT} persistent messages came back, all are needed"
    judge(
        kept("every_durable_queue_runs", running >= seen.durable, said, blamed("cold start")),
        kept("persistent_messages_are_left", delivered == COLD_PERSISTENT, came_back, blamed("cold start")),
    )
    verify(seen.history, *universal(budget("publishing", COLD_START), budget, blamed))


@BOOTED_AGAIN
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("B12")
@pytest.mark.rmq_requires("quorum")
def test_a_restart_keeps_durable_objects_and_persistent_messages_only_and_all_of_a_quorum_queue(observe):
    seen = observe(everything_stops_and_starts_at_once)

    confirmed = {stream: number for stream, (number, _) in seen.arrived.items()}
    tried(confirmed["transient.durable"] == TRANSIENT, "no transient message was confirmed by the durable queue")
    tried(
        confirmed["persistent.fleeting"] == COLD_PERSISTENT, "no message was confirmed by the queue that is not durable"
    )
    for node, before in seen.objects_before.items():
        tried(len(before) == 8 and before > KEPT, f"{node} had {sorted(before)} before the restart")
    for node, after in seen.objects_after.items():
        assert after == KEPT, f"{node} has {sorted(after)} after the restart"
    delivered = {stream: number for stream, (_, number) in seen.arrived.items()}
    wanted = {
        "persistent.durable": COLD_PERSISTENT,
        "transient.durable": 0,
        "persistent.quorum": COLD_PERSISTENT,
        "transient.quorum": TRANSIENT,
    }
    left = {stream: delivered[stream] for stream in wanted}
    judge(observed("what_a_restart_keeps", left == wanted, f"kept {left}; it had to be {wanted}"))


@BOOTED_AGAIN
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("B6", kind="demonstration")
@pytest.mark.rmq_requires("quorum", "mnesia")
def test_one_broker_started_alone_after_a_power_cut_waits_for_the_others_and_serves_nobody(observe):
    seen = observe(everything_is_killed_and_one_starts_alone)

    judge(observed("one_alone_waits", seen.lonely.waited, str(seen.lonely)))


@BOOTED_AGAIN
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("B6", kind="promise")
@pytest.mark.rmq_requires("quorum", "mnesia")
def test_after_a_power_cut_and_a_lonely_start_the_others_complete_the_cluster_without_loss(observe, budget, blamed):
    seen = observe(everything_is_killed_and_one_starts_alone)

    boot = budget("boot", COLD_START)
    judge(within("whole_again", seen.whole_after, boot, "the cluster was whole", blamed("cold start")))
    verify(seen.history, *universal(withheld(budget("publishing", COLD_START), seen.lonely), budget, blamed))
