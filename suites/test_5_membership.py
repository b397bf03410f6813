"""Chapter 5, membership and metadata: what every node must know alike after a fault."""

from __future__ import annotations

import limits
import pytest
from limits import within
from oracle import BOOTED_AGAIN, BROKER_KILL, tried, universal
from plays.leader_killed import the_leaders_node_is_killed
from plays.membership import (
    a_broker_comes_back_with_another_cookie,
    a_broker_leaves_by_reset_and_is_joined_again_by_hand,
)
from plays.vhosts import the_vhost_next_door_is_struck
from plays.whole_cluster import Seen, the_last_stopped_starts_first

from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import Verdict, judge, verify
from pytest_rmqha.waiting import seconds

blamed = limits.blamed

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")
JOINED = seconds(60)
"""From the first command of joining by hand: a stop, a boot, the replicas' growth and their synchronisation."""


@pytest.mark.rmq_scenario("C9")
def test_what_is_declared_while_a_node_is_down_is_in_every_nodes_own_export_afterwards(observe, budget, blamed):
    seen = observe(the_leaders_node_is_killed)

    assert len(seen.exports_after) == 3
    for node, export in seen.exports_after.items():
        for kind, names in seen.declared_during.items():
            assert names and names <= export[kind], (
                f"{node}'s export has no {', '.join(names - export[kind])} among its {kind}"
            )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@BOOTED_AGAIN
@pytest.mark.rmq_scenario("C14")
def test_a_cluster_name_is_the_same_on_every_node_and_through_the_vip_after_a_restart(observe):
    seen = observe(the_last_stopped_starts_first)

    judge(one_cluster_name(seen))


def one_cluster_name(seen: Seen) -> Verdict:
    """All say the name that was set, or, where the configuration has one that each boot sets again, that one."""
    set_to, *names = seen.names
    tellers = 4 if seen.management_at_the_vip else 3
    wanted = seen.configured_names or {set_to}
    rule = f", and each boot sets {' or '.join(sorted(wanted))} from the configuration" if seen.configured_names else ""
    return observed(
        "one_cluster_name",
        len(names) == tellers and len(set(names)) == 1 and wanted.issuperset(names),
        f"set {set_to}{rule}; three nodes {'and the VIP ' if seen.management_at_the_vip else ''}say {names}",
    )


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("C4")
@pytest.mark.rmq_requires("mnesia", "links")
def test_a_broker_leaves_by_reset_and_joins_again_by_hand_under_load(observe, budget, blamed):
    seen = observe(a_broker_leaves_by_reset_and_is_joined_again_by_hand)

    remaining = seen.everybody - {seen.leaver}
    tried(
        all(copies == seen.everybody for copies in seen.copies_before.values()), "a queue had too few replicas at first"
    )
    tried(seen.alone == {seen.leaver}, f"before it was joined {seen.leaver} had {sorted(seen.alone)} running")
    assert seen.members_while_out == dict.fromkeys(seen.members_while_out, remaining)
    assert seen.copies_while_out == dict.fromkeys(seen.copies_while_out, remaining)
    assert len(seen.members_after) == len(seen.everybody)
    assert seen.members_before == seen.members_after == dict.fromkeys(seen.members_after, seen.everybody)
    assert seen.copies_after == seen.copies_before, f"replicas {seen.copies_after}, before {seen.copies_before}"
    judge(within("joined_again", seen.joined_after, budget("recovery", JOINED), "the broker was a full member again"))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_allows_log(
    r"the broker ended with 1 by itself|Crash dump is being written",
    reason="a broker that no peer lets in may give up; the unit starts it again",
)
@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("C7")
@pytest.mark.rmq_requires("mnesia")
def test_a_broker_with_another_cookie_is_kept_out_and_its_peers_say_why(observe, budget, blamed):
    seen = observe(a_broker_comes_back_with_another_cookie)

    assert seen.said, "no peer said that it refused the broker"
    assert all(seen.stranger not in peers for peers in seen.running.values()), f"running with it: {seen.running}"
    assert all(len(peers) == 2 for peers in seen.running.values()), f"its peers lost each other: {seen.running}"
    out = seen.kept_out
    assert not out.served, f"the broker serves on {sorted(out.served)} although its peers refuse it"
    tried(out.is_certain, f"the broker was looked at {out.looks} times, for {out.lasted:.0f} s after its start")
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("C11")
def test_what_happens_in_one_vhost_does_not_reach_the_load_in_another(observe, budget, blamed):
    seen = observe(the_vhost_next_door_is_struck)

    tried(seen.doomed_attempted and seen.doomed_cut_off, "nobody published next door when its vhost was deleted")
    assert "refused for user" in seen.refused.lower() or "access_refused" in seen.refused.lower(), (
        f"without permissions: {seen.refused}"
    )
    assert seen.strayed == 0, f"{seen.strayed} of {seen.parked} messages for next door came to this vhost's consumer"
    assert seen.arrived == seen.parked, f"{seen.arrived} of {seen.parked} messages came to the consumer next door"
    assert not seen.disturbed, f"cut off by what happened next door: {seen.disturbed}"
    verify(seen.history, *universal(budget("publishing", seconds(3)), budget, blamed))
