"""Chapter 3, partitions: links between brokers are cut, cleanly (closed) and silently (swallowed)."""

from __future__ import annotations

import pytest
from oracle import BROKER_KILL, SILENT_PARTITION, UNIVERSAL, tried, universal
from plays.one_way import what_one_broker_says_to_another_is_swallowed
from plays.partitions import a_broker_is_cut_off_cleanly, a_broker_is_cut_off_silently, the_link_of_a_pair_is_cut
from plays.slow_links import LONGER_THAN_ANY_TICK, every_link_gets_200_ms_of_latency

from pytest_rmqha.checkers.availability import new_connections_are_served_within
from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.waiting import seconds

pytestmark = [pytest.mark.rmq_requires("three_nodes", "vip", "links", "mirrors")]
ENOUGH_ATTEMPTS = 200
PAUSED = seconds(10)
SLOWED = 0.35  # seconds: a confirm waits for a peer, there and back at 200 ms each


@pytest.mark.rmq_scenario("P2")
def test_a_cleanly_isolated_broker_pauses_and_its_clients_go_on_elsewhere(observe, budget):
    seen = observe(a_broker_is_cut_off_cleanly)

    assert seen.paused_after < PAUSED.seconds, f"paused {seen.paused_after:.1f} s after the cut"
    assert seen.others_answered
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)), new_connections_are_served_within(seconds(15)))


@pytest.mark.rmq_scenario("P2")
def test_a_silently_isolated_broker_pauses_and_its_clients_go_on_elsewhere(observe, budget):
    seen = observe(a_broker_is_cut_off_silently)

    assert seen.paused_after < SILENT_PARTITION.seconds, f"paused {seen.paused_after:.1f} s after the cut"
    assert seen.others_answered
    verify(
        seen.through_the_vip,
        *universal(budget("publishing", SILENT_PARTITION)),
        new_connections_are_served_within(SILENT_PARTITION),
    )


@pytest.mark.rmq_scenario("P3")
def test_what_a_minority_confirms_while_it_is_cut_off_survives(observe, budget):
    seen = observe(a_broker_is_cut_off_silently)

    pinned = next(s for s in seen.history.streams if s.name == "pinned")
    tried(
        seen.attempted_while_cut >= ENOUGH_ATTEMPTS,
        f"{seen.attempted_while_cut} messages were attempted on the isolated broker before it paused, {ENOUGH_ATTEMPTS} are needed",
    )
    tried(pinned.confirmed.count(), "the pinned publisher had no confirm at all")
    judge(
        observed(
            "what_a_minority_confirms_survives",
            not pinned.lost.count(),
            f"{seen.confirmed_while_cut} of {seen.attempted_while_cut} messages were confirmed by the isolated leader before it "
            f"paused; {pinned.lost.count()} of all its confirmed messages are lost",
        )
    )
    verify(seen.through_the_vip, *universal(budget("publishing", SILENT_PARTITION)))


@pytest.mark.rmq_scenario("P7")
def test_after_a_partial_partition_everybody_is_served_again(observe, budget):
    seen = observe(the_link_of_a_pair_is_cut)

    assert seen.paused == {seen.cut[0], seen.cut[1]}, f"paused: {seen.paused}, cut: {seen.cut}"
    assert seen.served_again_after < budget("recovery", BROKER_KILL).seconds, (
        f"served again {seen.served_again_after:.1f} s after healing"
    )
    verify(seen.history, *universal(budget("publishing", seconds(40)))[:-1])


@pytest.mark.rmq_scenario("P14")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_200_ms_of_latency_on_every_link_is_no_partition_and_no_election_storm(observe, budget):
    seen = observe(every_link_gets_200_ms_of_latency)

    tried(seen.held_for > seen.tick_time * LONGER_THAN_ANY_TICK, f"slow for {seen.held_for:.1f} s only")
    tried(0 < seen.confirm_before < SLOWED, f"the median confirm took {seen.confirm_before:.3f} s before the latency")
    tried(seen.confirm_during > SLOWED, f"the median confirm took {seen.confirm_during:.3f} s with the latency")
    tried(seen.looks >= 6, f"{seen.looks} views were answered, {seen.unanswered} were not")
    assert not seen.missed, f"{len(seen.missed)} times somebody was missed: {seen.missed[:5]}"
    assert seen.leaders_after["ha.load"] == seen.leaders_before["ha.load"]
    assert seen.elections <= 1, f"{seen.elections} Raft terms passed in {seen.held_for:.0f} s"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_scenario("P14")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_when_one_broker_hears_another_no_more_the_third_stays_and_everybody_is_served_again(observe, budget):
    seen = observe(what_one_broker_says_to_another_is_swallowed)

    for link, toxics in seen.swallowed.items():
        tried(toxics and len(set(toxics)) == 1, f"{link} was to swallow one direction and has {toxics}")
    tried(len(set(seen.swallowed.values())) == 2, f"both links swallow the same stream: {seen.swallowed}")
    assert seen.noticed_after < SILENT_PARTITION.seconds, f"noticed {seen.noticed_after:.1f} s after the cut"
    assert seen.paused <= {seen.speaker, seen.listener}, f"paused: {set(seen.paused)}, {seen.third} was not cut"
    assert seen.served_again_after < budget("recovery", BROKER_KILL).seconds, (
        f"served again {seen.served_again_after:.1f} s after healing"
    )
    verify(seen.history, *UNIVERSAL)
