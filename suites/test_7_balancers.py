"""Chapter 7, balancers and VIP: the address moves once, to one holder, and brokers are marked as they are."""

from __future__ import annotations

import limits
import pytest
from limits import blame, kept, within
from oracle import BALANCER_FAILOVER, BROKER_KILL, keeping, tried, universal
from plays.balancers import (
    MOVED_WITHIN,
    a_broker_is_frozen,
    haproxy_is_killed_on_the_holder,
    keepalived_is_stopped_on_the_holder,
    the_balancers_no_longer_hear_each_other,
    the_holders_host_is_killed,
)
from plays.half_dead_hosts import (
    BLACK_HOLE,
    haproxy_freezes_behind_a_check_of_the_process_table,
    haproxy_freezes_on_the_holder,
    keepalived_alone_is_killed,
)
from plays.leader_killed import the_leaders_node_is_killed
from plays.preemption import the_failed_master_returns_and_takes_over, the_failed_master_returns_and_waits_its_turn

from pytest_rmqha.checkers.availability import new_connections_are_served_within
from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.checkers.vip import one_holder_outside_transitions
from pytest_rmqha.waiting import seconds

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")
blamed = limits.blamed
TRANSITION = seconds(5)
# VRRP takes 0.4 to 0.6 s (skew time); the rest is the stop's own exec and what our looking takes
WITHIN_A_SECOND = seconds(2)
FROZEN_SEEN = seconds(8)
MARKED_DOWN = seconds(6)  # fall 2 × (inter 1 s + timeout check 2 s)


def the_vip_moved_once_and_nobody_lost_anything(seen, budget, blamed, moves_within=None):
    limit = moves_within or budget("failover", BALANCER_FAILOVER)
    moves = f"the VIP moved {seen.interruptions} times, budget 1"
    judge(
        kept(
            "the_vip_moves_once",
            seen.interruptions == 1,
            moves,
            blamed("return" if seen.interruptions else "take-over"),
        ),
        within("the_vip_is_taken_over", seen.moved_after, limit, "the VIP moved", blamed("take-over")),
        blame(one_holder_outside_transitions(seen.events, TRANSITION, window=seen.window), blamed("one holder")),
    )
    served = new_connections_are_served_within(budget("connecting", BALANCER_FAILOVER))
    verify(seen.history, *universal(budget("publishing", BALANCER_FAILOVER), budget, blamed), served)


@pytest.mark.rmq_scenario("V1")
def test_stopping_keepalived_moves_the_vip_within_a_second(observe, budget, ours_or, blamed):
    in_time = ours_or(WITHIN_A_SECOND, BALANCER_FAILOVER)
    the_vip_moved_once_and_nobody_lost_anything(observe(keepalived_is_stopped_on_the_holder), budget, blamed, in_time)


@pytest.mark.rmq_scenario("V2")
def test_killing_the_holders_host_moves_the_vip_once(observe, budget, blamed):
    the_vip_moved_once_and_nobody_lost_anything(observe(the_holders_host_is_killed), budget, blamed)


@pytest.mark.rmq_scenario("V4")
def test_killing_haproxy_on_the_holder_moves_the_vip(observe, budget, blamed):
    the_vip_moved_once_and_nobody_lost_anything(observe(haproxy_is_killed_on_the_holder), budget, blamed)


def one_holder_again_and_its_clients_find_it(seen, budget, blamed):
    """What every stack owes after a split, whatever made it. ``recovery`` begins when the fault is undone."""
    tried(len(seen.during) == 2, f"the VIP was never on two hosts at once: {sorted(seen.during)}")
    one = one_holder_outside_transitions(seen.events, TRANSITION, window=seen.recovery)
    says = f"the client's ARP cache names {'' if seen.neighbour_is_holder else 'no '}holder of the VIP: {sorted(seen.after)}"
    judge(
        blame(one, blamed("one holder")),
        kept(
            "one_holder_is_left", len(seen.after) == 1, f"held by {sorted(seen.after)}, budget 1", blamed("one holder")
        ),
        kept("clients_know_the_holder", seen.neighbour_is_holder, says, blamed("one holder")),
        within(
            "clients_are_served_again",
            seen.served_again_after,
            budget("recovery", BALANCER_FAILOVER),
            "after the split the last publisher was served again",
            blamed("one holder"),
        ),
    )
    verify(
        seen.history,
        *universal(budget("publishing", BROKER_KILL), budget, blamed),
        new_connections_are_served_within(budget("connecting", BROKER_KILL)),
    )


@pytest.mark.rmq_scenario("V6")
def test_balancers_deaf_to_each_other_both_hold_the_vip(observe, budget, blamed):
    seen = observe(the_balancers_no_longer_hear_each_other)

    holders = f"holders while VRRP was dropped: {sorted(seen.during)}, 2 were expected"
    judge(kept("two_holders_are_seen", len(seen.during) == 2, holders))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("V6", kind="promise")
def test_balancers_that_hear_each_other_again_leave_the_vip_to_one_and_its_clients_find_it(observe, budget, blamed):
    one_holder_again_and_its_clients_find_it(observe(the_balancers_no_longer_hear_each_other), budget, blamed)


@pytest.mark.rmq_scenario("V11")
def test_a_killed_broker_is_marked_down_and_only_its_own_sessions_break(observe, budget, ours_or, blamed):
    seen = observe(the_leaders_node_is_killed)

    last = max(seen.backend_down_after.values())
    judge(
        within(
            "a_killed_broker_is_marked_down",
            last,
            ours_or(MARKED_DOWN, BROKER_KILL),
            f"the killed broker DOWN in every backend of every balancer ({told_in_seconds(seen.backend_down_after)})",
            blamed("marked down"),
        ),
        kept(
            "no_other_is_marked_down",
            seen.others_stayed_up,
            "no broker that lived was marked DOWN"
            if seen.others_stayed_up
            else "a living broker was marked DOWN, budget 0",
            blamed("marked down"),
        ),
    )
    tried(seen.clients_elsewhere, "every client was on the killed broker")
    cut = f"cut off although connected elsewhere, budget 0: {sorted(seen.broken_elsewhere)}"
    judge(kept("only_its_own_sessions_break", not seen.broken_elsewhere, cut, blamed("sessions")))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_scenario("V12")
def test_a_frozen_broker_is_marked_down_and_its_clients_move(observe, budget, ours_or, blamed):
    seen = observe(a_broker_is_frozen)

    tried(seen.clients_on_victim, "no client was connected to the frozen broker")
    stayed = sorted(set(seen.clients_on_victim) - set(seen.moved))
    clients = (
        f"clients of the frozen {seen.victim} that were not connected elsewhere {MOVED_WITHIN} after that, budget 0"
    )
    judge(
        within(
            "a_frozen_broker_is_marked_down",
            max(seen.down_after.values()),
            ours_or(FROZEN_SEEN, BROKER_KILL),
            f"AMQP of {seen.victim} DOWN on every balancer ({told_in_seconds(seen.down_after)}; its other ports: "
            f"{ {balancer: sorted(states) for balancer, states in seen.elsewhere.items()} })",
            blamed("marked down"),
        ),
        kept("its_clients_move", not stayed, f"{clients}: {stayed}", blamed("sessions")),
    )
    verify(
        seen.history,
        *universal(budget("publishing", BROKER_KILL), budget, blamed),
        new_connections_are_served_within(budget("connecting", BROKER_KILL)),
    )


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V3")
def test_keepalived_killed_alone_leaves_the_vip_on_two_hosts(observe, budget, blamed):
    seen = observe(keepalived_alone_is_killed)

    holders = f"holders while keepalived was dead on {seen.before}: {sorted(seen.during)}, 2 were expected"
    judge(kept("two_holders_are_seen", len(seen.during) == 2 and seen.before in seen.during, holders))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V3", kind="promise")
def test_keepalived_that_is_started_again_leaves_the_vip_to_one_and_its_clients_find_it(observe, budget, blamed):
    one_holder_again_and_its_clients_find_it(observe(keepalived_alone_is_killed), budget, blamed)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V5", kind="promise")
def test_a_frozen_haproxy_loses_the_vip_because_the_check_asks_it_for_an_answer(observe, budget, blamed):
    the_vip_moved_once_and_nobody_lost_anything(observe(haproxy_freezes_on_the_holder), budget, blamed)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_variant("killall-check")
@pytest.mark.rmq_scenario("V5", kind="demonstration")
def test_a_frozen_haproxy_keeps_the_vip_and_serves_nobody_when_the_check_asks_the_process_table(observe, blamed):
    seen = observe(haproxy_freezes_behind_a_check_of_the_process_table)

    tried(seen.process_was_there, "the process was not in the table: it was dead, not frozen")
    assert seen.holders == {seen.frozen}, f"holders while haproxy was frozen on {seen.frozen}: {seen.holders}"
    judge(
        observed(
            "an_outage_is_seen",
            seen.longest_wait >= BLACK_HOLE,
            f"a publisher waited {seen.longest_wait:.1f} s for a confirm; it had to be {BLACK_HOLE:g} s and more",
        )
    )
    verify(seen.history, *keeping(blamed))


def told_in_seconds(after):
    return ", ".join(f"{name}: {seconds_:.1f} s" for name, seconds_ in after.items())


PREEMPT_DELAY = 10.0  # compose/variants/preempt-delay


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V8")
@pytest.mark.rmq_requires("reference")
def test_a_failed_master_that_returns_under_nopreempt_interrupts_nobody_a_second_time(observe, budget, blamed):
    seen = observe(the_failed_master_returns_and_waits_its_turn)

    tried(seen.settings == {"nopreempt"}, f"the master's configuration says {sorted(seen.settings)}")
    assert seen.holder_at_the_end != seen.master
    assert seen.interruptions == 1, f"{seen.interruptions} interruptions, one of them was the failure"
    assert seen.returned_after is None
    what_a_return_may_cost(seen, budget, blamed)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_variant("preempt")
@pytest.mark.rmq_scenario("V8", kind="demonstration")
def test_a_failed_master_that_returns_and_preempts_interrupts_clients_a_second_time(observe, budget, blamed):
    seen = observe(the_failed_master_returns_and_takes_over)

    tried(not seen.settings, f"the master's configuration says {sorted(seen.settings)}")
    assert seen.holder_at_the_end == seen.master
    judge(a_second_interruption_is_seen(seen))
    assert seen.returned_after < PREEMPT_DELAY, f"it took over {seen.returned_after:.1f} s after its boot"
    what_a_return_may_cost(seen, budget, blamed)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_variant("preempt-delay")
@pytest.mark.rmq_scenario("V8", kind="demonstration")
def test_a_failed_master_that_returns_with_a_delay_interrupts_clients_a_second_time_and_later(observe, budget, blamed):
    seen = observe(the_failed_master_returns_and_takes_over)

    tried(seen.settings == {f"preempt_delay {PREEMPT_DELAY:g}"}, f"the configuration says {sorted(seen.settings)}")
    assert seen.holder_at_the_end == seen.master
    judge(a_second_interruption_is_seen(seen))
    assert seen.returned_after >= PREEMPT_DELAY, f"it took over {seen.returned_after:.1f} s after its boot"
    what_a_return_may_cost(seen, budget, blamed)


def a_second_interruption_is_seen(seen):
    said = f"{seen.interruptions} interruptions: the failure, and the return, are two"
    return observed("a_second_interruption_is_seen", seen.interruptions == 2, said)


def what_a_return_may_cost(seen, budget, blamed):
    judge(one_holder_outside_transitions(seen.events, TRANSITION, window=seen.window))
    verify(
        seen.history,
        *universal(budget("publishing", BALANCER_FAILOVER), budget, blamed),
        new_connections_are_served_within(budget("connecting", BALANCER_FAILOVER)),
    )
