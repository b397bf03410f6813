"""Chapter 3, partitions: links between brokers are cut, cleanly (closed) and silently (swallowed)."""

from __future__ import annotations

import math

import limits
import pytest
from limits import kept, within
from oracle import BROKER_KILL, SILENT_PARTITION, keeping, tried, universal
from plays.fresh_channels import ENOUGH, new_channels_are_opened_on_a_leader_that_is_cut_off_and_does_not_know
from plays.one_way import what_one_broker_says_to_another_is_swallowed
from plays.partitions import a_broker_is_cut_off_cleanly, a_broker_is_cut_off_silently, the_link_of_a_pair_is_cut
from plays.slow_links import LONGER_THAN_ANY_TICK, every_link_gets_200_ms_of_latency

from pytest_rmqha.checkers.availability import new_connections_are_served_within
from pytest_rmqha.checkers.observed import loss_is_seen, observed
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.waiting import seconds

pytestmark = [pytest.mark.rmq_requires("three_nodes", "vip", "links", "mirrors")]
blamed = limits.blamed
ENOUGH_ATTEMPTS = 200
PAUSED = seconds(10)
SERVED_AGAIN = "after the cut was mended the last client was served again"
SLOWED = 0.35  # seconds: a confirm waits for a peer, there and back at 200 ms each


def pauses_while_the_others_serve(seen, in_time, blamed):
    lines = blamed("partition")
    answered = f"the brokers on the other side {'answered' if seen.others_answered else 'did not answer, all have to'}"
    judge(
        within("an_isolated_broker_pauses", seen.paused_after, in_time, "the isolated broker paused", lines),
        kept("the_others_serve", seen.others_answered, answered, lines),
    )


@pytest.mark.rmq_scenario("P2")
def test_a_cleanly_isolated_broker_pauses_and_its_clients_go_on_elsewhere(observe, budget, blamed):
    seen = observe(a_broker_is_cut_off_cleanly)

    pauses_while_the_others_serve(seen, PAUSED, blamed)
    verify(
        seen.history,
        *universal(budget("publishing", BROKER_KILL), budget, blamed),
        new_connections_are_served_within(seconds(15)),
    )


@pytest.mark.rmq_scenario("P2")
def test_a_silently_isolated_broker_pauses_and_its_clients_go_on_elsewhere(observe, budget, blamed):
    seen = observe(a_broker_is_cut_off_silently)

    pauses_while_the_others_serve(seen, SILENT_PARTITION, blamed)
    verify(
        seen.through_the_vip,
        *universal(budget("publishing", SILENT_PARTITION), budget, blamed),
        new_connections_are_served_within(SILENT_PARTITION),
    )


@pytest.mark.rmq_scenario("P3")
def test_what_a_minority_confirms_while_it_is_cut_off_survives(observe, budget, blamed):
    seen = observe(a_broker_is_cut_off_silently)

    pinned = next(s for s in seen.history.streams if s.name == "pinned")
    tried(
        seen.attempted_while_cut >= ENOUGH_ATTEMPTS,
        f"{seen.attempted_while_cut} messages were attempted on the isolated broker before it paused, {ENOUGH_ATTEMPTS} are needed",
    )
    tried(pinned.confirmed.count(), "the pinned publisher had no confirm at all")
    judge(
        kept(
            "what_a_minority_confirms_survives",
            not pinned.lost.count(),
            f"{seen.confirmed_while_cut} of {seen.attempted_while_cut} messages were confirmed by the isolated leader before it "
            f"paused; {pinned.lost.count()} of all its confirmed messages are lost, budget 0",
            blamed("partition"),
        )
    )
    verify(seen.through_the_vip, *universal(budget("publishing", SILENT_PARTITION), budget, blamed))


@pytest.mark.rmq_scenario("P3", kind="demonstration")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_a_channel_that_is_opened_on_an_isolated_mirrored_leader_gets_confirms_that_are_lost(observe):
    seen = observe(new_channels_are_opened_on_a_leader_that_is_cut_off_and_does_not_know)

    tried(math.isfinite(seen.paused_after), "the isolated broker did not pause")
    tried(
        seen.opened_after < seen.paused_after,
        f"the channels were opened {seen.opened_after:.1f} s after the cut, the broker paused after {seen.paused_after:.1f} s",
    )
    for stream in (seen.fresh, seen.fresh_quorum):
        tried(
            stream.attempted >= ENOUGH,
            f"{stream.attempted} messages were attempted by {stream.name}, {ENOUGH} are needed",
        )
    tried(seen.confirmed_before_the_cut, "the channel that was open before the cut had no confirm before it")
    known, quorum = seen.known.lost.count(), seen.fresh_quorum.lost.count()
    judge(
        loss_is_seen(seen.fresh, ENOUGH),
        observed(
            "a_known_channel_loses_nothing", not known, f"{known} of {seen.known.confirmed.count()} lost, budget 0"
        ),
        observed(
            "a_quorum_queue_loses_nothing",
            not quorum,
            f"through a channel opened in the cut {seen.fresh_quorum.attempted} were tried, "
            f"{seen.fresh_quorum.confirmed.count()} confirmed, {quorum} of these lost, budget 0",
        ),
    )


@pytest.mark.rmq_scenario("P7")
def test_after_a_partial_partition_everybody_is_served_again(observe, budget, blamed):
    seen = observe(the_link_of_a_pair_is_cut)

    lines, said = blamed("partition"), f"paused: {sorted(seen.paused)}, cut from each other: {sorted(seen.cut)}"
    judge(
        kept("both_of_a_cut_pair_pause", seen.paused == {seen.cut[0], seen.cut[1]}, said, lines),
        within("served_again", seen.served_again_after, budget("recovery", BROKER_KILL), SERVED_AGAIN, lines),
    )
    verify(seen.history, *keeping(blamed))


@pytest.mark.rmq_scenario("P14")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_200_ms_of_latency_on_every_link_is_no_partition_and_no_election_storm(observe, budget, blamed):
    seen = observe(every_link_gets_200_ms_of_latency)

    tried(seen.held_for > seen.tick_time * LONGER_THAN_ANY_TICK, f"slow for {seen.held_for:.1f} s only")
    tried(0 < seen.confirm_before < SLOWED, f"the median confirm took {seen.confirm_before:.3f} s before the latency")
    tried(seen.confirm_during > SLOWED, f"the median confirm took {seen.confirm_during:.3f} s with the latency")
    tried(seen.looks >= 6, f"{seen.looks} views were answered, {seen.unanswered} were not")
    lines, moved = blamed("partition"), (seen.leaders_before["ha.load"], seen.leaders_after["ha.load"])
    missed = f"{len(seen.missed)} times somebody was missed, budget 0: {seen.missed[:5]}"
    elections = f"{seen.elections} Raft terms passed in {seen.held_for:.0f} s, budget 1"
    judge(
        kept("latency_is_no_partition", not seen.missed, missed, lines),
        kept("the_leader_stays", moved[0] == moved[1], f"ha.load was led by {moved[0]}, then by {moved[1]}", lines),
        kept("no_election_storm", seen.elections <= 1, elections, lines),
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("P14")
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_requires("quorum")
def test_when_one_broker_hears_another_no_more_the_third_stays_and_everybody_is_served_again(observe, budget, blamed):
    seen = observe(what_one_broker_says_to_another_is_swallowed)

    for link, toxics in seen.swallowed.items():
        tried(toxics and len(set(toxics)) == 1, f"{link} was to swallow one direction and has {toxics}")
    tried(len(set(seen.swallowed.values())) == 2, f"both links swallow the same stream: {seen.swallowed}")
    lines, said = blamed("partition"), f"paused: {sorted(seen.paused) or 'nobody'}, {seen.third} was not cut off"
    judge(
        within("a_one_way_cut_is_noticed", seen.noticed_after, SILENT_PARTITION, "the cut was noticed", lines),
        kept("the_third_stays", seen.paused <= {seen.speaker, seen.listener}, said, lines),
        within("served_again", seen.served_again_after, budget("recovery", BROKER_KILL), SERVED_AGAIN, lines),
    )
    verify(seen.history, *keeping(blamed))
