"""Chapter 3, partitions: links between brokers are cut, cleanly (closed) and silently (swallowed)."""

from __future__ import annotations

import pytest
from oracle import BROKER_KILL, SILENT_PARTITION, tried, universal
from plays.partitions import a_broker_is_cut_off_cleanly, a_broker_is_cut_off_silently, the_link_of_a_pair_is_cut

from pytest_rmqha.checkers.availability import new_connections_are_served_within
from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.waiting import seconds

pytestmark = [pytest.mark.rmq_requires("three_nodes", "vip", "links", "mirrors")]
ENOUGH_ATTEMPTS = 200


@pytest.mark.rmq_scenario("P2")
def test_a_cleanly_isolated_broker_pauses_and_its_clients_go_on_elsewhere(observe):
    seen = observe(a_broker_is_cut_off_cleanly)

    assert seen.paused_after < 10, f"paused {seen.paused_after:.1f} s after the cut"
    assert seen.others_answered
    verify(seen.history, *universal(BROKER_KILL), new_connections_are_served_within(seconds(15)))


@pytest.mark.rmq_scenario("P2")
def test_a_silently_isolated_broker_pauses_and_its_clients_go_on_elsewhere(observe):
    seen = observe(a_broker_is_cut_off_silently)

    assert seen.paused_after < SILENT_PARTITION.seconds, f"paused {seen.paused_after:.1f} s after the cut"
    assert seen.others_answered
    verify(seen.through_the_vip, *universal(SILENT_PARTITION), new_connections_are_served_within(SILENT_PARTITION))


@pytest.mark.rmq_scenario("P3")
def test_what_a_minority_confirms_while_it_is_cut_off_survives(observe):
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
    verify(seen.through_the_vip, *universal(SILENT_PARTITION))


@pytest.mark.rmq_scenario("P7")
def test_after_a_partial_partition_everybody_is_served_again(observe):
    seen = observe(the_link_of_a_pair_is_cut)

    assert seen.paused == {seen.cut[0], seen.cut[1]}, f"paused: {seen.paused}, cut: {seen.cut}"
    assert seen.served_again_after < BROKER_KILL.seconds, f"served again {seen.served_again_after:.1f} s after healing"
    verify(seen.history, *universal(seconds(40))[:-1])
