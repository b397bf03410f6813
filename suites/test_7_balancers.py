"""Chapter 7, balancers and VIP: the address moves once, to one holder, and brokers are marked as they are."""

from __future__ import annotations

import pytest
from oracle import BALANCER_FAILOVER, BROKER_KILL, tried, universal
from plays.balancers import (
    a_broker_is_frozen,
    haproxy_is_killed_on_the_holder,
    keepalived_is_stopped_on_the_holder,
    the_balancers_no_longer_hear_each_other,
    the_holders_host_is_killed,
)
from plays.leader_killed import the_leaders_node_is_killed

from pytest_rmqha.checkers.availability import new_connections_are_served_within
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.checkers.vip import one_holder_outside_transitions
from pytest_rmqha.waiting import seconds

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")
TRANSITION = seconds(5)
WITHIN_A_SECOND = 2.0  # VRRP takes 0.4 to 0.6 s (skew time); the rest is the stop's own exec and what our looking takes
MARKED_DOWN = seconds(6)  # fall 2 × (inter 1 s + timeout check 2 s)


def the_vip_moved_once_and_nobody_lost_anything(seen):
    assert seen.interruptions == 1, f"the VIP moved {seen.interruptions} times"
    assert seen.moved_after < BALANCER_FAILOVER.seconds, f"the VIP moved {seen.moved_after:.1f} s after the fault"
    judge(one_holder_outside_transitions(seen.events, TRANSITION, window=seen.window))
    verify(seen.history, *universal(BALANCER_FAILOVER), new_connections_are_served_within(BALANCER_FAILOVER))


@pytest.mark.rmq_scenario("V1")
def test_stopping_keepalived_moves_the_vip_within_a_second(observe):
    seen = observe(keepalived_is_stopped_on_the_holder)

    assert seen.moved_after < WITHIN_A_SECOND, f"the VIP moved {seen.moved_after:.1f} s after the stop"
    the_vip_moved_once_and_nobody_lost_anything(seen)


@pytest.mark.rmq_scenario("V2")
def test_killing_the_holders_host_moves_the_vip_once(observe):
    the_vip_moved_once_and_nobody_lost_anything(observe(the_holders_host_is_killed))


@pytest.mark.rmq_scenario("V4")
def test_killing_haproxy_on_the_holder_moves_the_vip(observe):
    the_vip_moved_once_and_nobody_lost_anything(observe(haproxy_is_killed_on_the_holder))


@pytest.mark.rmq_scenario("V6")
def test_balancers_deaf_to_each_other_both_hold_the_vip_and_one_lets_go_when_they_hear_again(observe):
    seen = observe(the_balancers_no_longer_hear_each_other)

    assert seen.holders_during == 2, f"{seen.holders_during} holders while VRRP was dropped: two were expected"
    assert seen.holders_after == 1
    assert seen.neighbour_is_holder, "after healing the client's ARP cache names a balancer that does not hold the VIP"
    verify(seen.history, *universal(BROKER_KILL))


@pytest.mark.rmq_scenario("V11")
def test_a_killed_broker_is_marked_down_and_only_its_own_sessions_break(observe):
    seen = observe(the_leaders_node_is_killed)

    assert max(seen.backend_down_after.values()) < MARKED_DOWN.seconds, f"marked DOWN after {seen.backend_down_after}"
    assert seen.others_stayed_up, "a broker that was not killed was marked DOWN"
    tried(seen.clients_elsewhere, "every client was on the killed broker")
    assert not seen.broken_elsewhere, f"cut off although connected elsewhere: {seen.broken_elsewhere}"
    verify(seen.history, *universal(BROKER_KILL))


@pytest.mark.rmq_scenario("V12")
def test_a_frozen_broker_is_marked_down_and_its_clients_move(observe):
    seen = observe(a_broker_is_frozen)

    tried(seen.clients_on_victim, "no client was connected to the frozen broker")
    assert max(seen.down_after.values()) < 8, f"marked DOWN after {seen.down_after}"
    assert set(seen.clients_on_victim) <= set(seen.moved), (
        f"on the frozen broker: {seen.clients_on_victim}, moved: {seen.moved}"
    )
    verify(seen.history, *universal(BROKER_KILL))
