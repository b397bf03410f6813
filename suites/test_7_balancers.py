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
from plays.half_dead_hosts import (
    BLACK_HOLE,
    haproxy_freezes_behind_a_check_of_the_process_table,
    haproxy_freezes_on_the_holder,
    keepalived_alone_is_killed,
)
from plays.leader_killed import the_leaders_node_is_killed
from plays.preemption import the_failed_master_returns_and_takes_over, the_failed_master_returns_and_waits_its_turn
from plays.views import BACK, BEFORE, DEAD, DEALT, MOVED, a_broker_and_then_haproxy_die_while_everybody_looks_on, told

from pytest_rmqha import clock
from pytest_rmqha.checkers.availability import new_connections_are_served_within
from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.checkers.vip import one_holder_outside_transitions
from pytest_rmqha.waiting import seconds

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")
TRANSITION = seconds(5)
WITHIN_A_SECOND = 2.0  # VRRP takes 0.4 to 0.6 s (skew time); the rest is the stop's own exec and what our looking takes
FROZEN_SEEN = seconds(8)
MARKED_DOWN = seconds(6)  # fall 2 × (inter 1 s + timeout check 2 s)


def the_vip_moved_once_and_nobody_lost_anything(seen, budget):
    assert seen.interruptions == 1, f"the VIP moved {seen.interruptions} times"
    assert seen.moved_after < budget("failover", BALANCER_FAILOVER).seconds, (
        f"the VIP moved {seen.moved_after:.1f} s after the fault"
    )
    judge(one_holder_outside_transitions(seen.events, TRANSITION, window=seen.window))
    served = new_connections_are_served_within(budget("connecting", BALANCER_FAILOVER))
    verify(seen.history, *universal(budget("publishing", BALANCER_FAILOVER)), served)


@pytest.mark.rmq_scenario("V1")
def test_stopping_keepalived_moves_the_vip_within_a_second(observe, budget, ours_or):
    seen = observe(keepalived_is_stopped_on_the_holder)

    assert seen.moved_after < ours_or(WITHIN_A_SECOND, BALANCER_FAILOVER.seconds), (
        f"the VIP moved {seen.moved_after:.1f} s after the stop"
    )
    the_vip_moved_once_and_nobody_lost_anything(seen, budget)


@pytest.mark.rmq_scenario("V2")
def test_killing_the_holders_host_moves_the_vip_once(observe, budget):
    the_vip_moved_once_and_nobody_lost_anything(observe(the_holders_host_is_killed), budget)


@pytest.mark.rmq_scenario("V4")
def test_killing_haproxy_on_the_holder_moves_the_vip(observe, budget):
    the_vip_moved_once_and_nobody_lost_anything(observe(haproxy_is_killed_on_the_holder), budget)


@pytest.mark.rmq_scenario("V6")
def test_balancers_deaf_to_each_other_both_hold_the_vip_and_one_lets_go_when_they_hear_again(observe, budget):
    seen = observe(the_balancers_no_longer_hear_each_other)

    assert seen.holders_during == 2, f"{seen.holders_during} holders while VRRP was dropped: two were expected"
    assert seen.holders_after == 1
    assert seen.neighbour_is_holder, "after healing the client's ARP cache names a balancer that does not hold the VIP"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_scenario("V11")
def test_a_killed_broker_is_marked_down_and_only_its_own_sessions_break(observe, budget, ours_or):
    seen = observe(the_leaders_node_is_killed)

    in_time = ours_or(MARKED_DOWN, BROKER_KILL).seconds
    assert max(seen.backend_down_after.values()) < in_time, f"marked DOWN after {seen.backend_down_after}"
    assert seen.others_stayed_up, "a broker that was not killed was marked DOWN"
    tried(seen.clients_elsewhere, "every client was on the killed broker")
    assert not seen.broken_elsewhere, f"cut off although connected elsewhere: {seen.broken_elsewhere}"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_scenario("V12")
def test_a_frozen_broker_is_marked_down_and_its_clients_move(observe, budget, ours_or):
    seen = observe(a_broker_is_frozen)

    tried(seen.clients_on_victim, "no client was connected to the frozen broker")
    in_time = ours_or(FROZEN_SEEN, BROKER_KILL).seconds
    assert max(seen.down_after.values()) < in_time, f"marked DOWN after {seen.down_after}"
    assert set(seen.clients_on_victim) <= set(seen.moved), (
        f"on the frozen broker: {seen.clients_on_victim}, moved: {seen.moved}"
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V3")
def test_keepalived_killed_alone_leaves_the_vip_on_two_hosts_until_it_is_started_again(observe, budget):
    seen = observe(keepalived_alone_is_killed)

    assert len(seen.during) == 2 and seen.before in seen.during, f"holders while keepalived was dead: {seen.during}"
    assert len(seen.after) == 1, f"holders after its start: {seen.after}"
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V5", kind="promise")
def test_a_frozen_haproxy_loses_the_vip_because_the_check_asks_it_for_an_answer(observe, budget):
    the_vip_moved_once_and_nobody_lost_anything(observe(haproxy_freezes_on_the_holder), budget)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_variant("killall-check")
@pytest.mark.rmq_scenario("V5", kind="demonstration")
def test_a_frozen_haproxy_keeps_the_vip_and_serves_nobody_when_the_check_asks_the_process_table(observe, budget):
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
    verify(seen.history, *universal(budget("publishing", seconds(90)))[:-1])


PREEMPT_DELAY = 10.0  # compose/variants/preempt-delay


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V8")
@pytest.mark.rmq_requires("reference")
def test_a_failed_master_that_returns_under_nopreempt_interrupts_nobody_a_second_time(observe, budget):
    seen = observe(the_failed_master_returns_and_waits_its_turn)

    tried(seen.settings == {"nopreempt"}, f"the master's configuration says {sorted(seen.settings)}")
    assert seen.holder_at_the_end != seen.master
    assert seen.interruptions == 1, f"{seen.interruptions} interruptions, one of them was the failure"
    assert seen.returned_after is None
    what_a_return_may_cost(seen, budget)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_variant("preempt")
@pytest.mark.rmq_scenario("V8")
def test_a_failed_master_that_returns_and_preempts_interrupts_clients_a_second_time(observe, budget):
    seen = observe(the_failed_master_returns_and_takes_over)

    tried(not seen.settings, f"the master's configuration says {sorted(seen.settings)}")
    assert seen.holder_at_the_end == seen.master
    assert seen.interruptions == 2, f"{seen.interruptions} interruptions: the failure, and the return, are two"
    assert seen.returned_after < PREEMPT_DELAY, f"it took over {seen.returned_after:.1f} s after its boot"
    what_a_return_may_cost(seen, budget)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_variant("preempt-delay")
@pytest.mark.rmq_scenario("V8")
def test_a_failed_master_that_returns_with_a_delay_interrupts_clients_a_second_time_and_later(observe, budget):
    seen = observe(the_failed_master_returns_and_takes_over)

    tried(seen.settings == {f"preempt_delay {PREEMPT_DELAY:g}"}, f"the configuration says {sorted(seen.settings)}")
    assert seen.holder_at_the_end == seen.master
    assert seen.interruptions == 2, f"{seen.interruptions} interruptions: the failure, and the return, are two"
    assert seen.returned_after >= PREEMPT_DELAY, f"it took over {seen.returned_after:.1f} s after its boot"
    what_a_return_may_cost(seen, budget)


def what_a_return_may_cost(seen, budget):
    judge(one_holder_outside_transitions(seen.events, TRANSITION, window=seen.window))
    verify(
        seen.history,
        *universal(budget("publishing", BALANCER_FAILOVER)),
        new_connections_are_served_within(budget("connecting", BALANCER_FAILOVER)),
    )


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V18")
def test_new_connections_spread_over_all_brokers_before_a_broker_dies_and_after_it_is_back(observe, budget):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    least = DEALT // 6  # half of a fair share
    spread = all(min(seen.shares[when].values()) >= least for when in (BEFORE, BACK))
    shares = f"before {seen.shares[BEFORE]}, after its return {seen.shares[BACK]}; the older ones then {seen.lasting}"
    judge(
        observed("connections_spread", spread, f"of {DEALT} new connections each time, at least {least} each: {shares}")
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V19")
def test_the_management_api_behind_the_vip_lets_one_log_in_before_during_and_after_each_failover(observe, budget):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    for when, look in seen.looks.items():
        assert look.name in seen.cluster_names, f"{when}: {look.name} is none of {set(seen.cluster_names)}"
    took = {when: look.logged_in_after for when, look in seen.looks.items()}
    assert took[DEAD] < BROKER_KILL.seconds, f"logged in {took[DEAD]:.1f} s after the broker's death"
    assert took[MOVED] < BALANCER_FAILOVER.seconds, f"logged in {took[MOVED]:.1f} s after haproxy's death"
    told_so = ", ".join(f"{when}: {seconds_:.1f} s" for when, seconds_ in took.items())
    judge(observed("the_management_api_follows_the_vip", len(took) == 5, f"first login, {told_so}"))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V20")
def test_each_statistics_page_says_of_each_broker_what_it_does(observe, budget):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    tried(not seen.looks[DEAD].serving[seen.victim], f"{seen.victim} still served when it had to be dead")
    for when, look in seen.looks.items():
        for balancer, page in look.pages.items():
            assert page == told(look.serving), f"{when}: {balancer} shows {page}, serving: {look.serving}"
    pages = sum(len(look.pages) for look in seen.looks.values())
    judge(
        observed(
            "pages_tell_the_truth", pages == 9, f"{pages} pages at {len(seen.looks)} moments were as the brokers were"
        )
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V21")
@pytest.mark.rmq_requires("reference")
def test_the_notify_script_writes_each_transition_of_both_balancers_completely_and_in_order(observe, budget):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    struck, new = seen.notified[seen.struck_holder], seen.notified[seen.new_holder]
    assert [notice.state for notice in struck] == ["FAULT", "BACKUP"], [notice.line for notice in struck]
    assert [notice.state for notice in new] == ["MASTER"], [notice.line for notice in new]
    (fault, backup), (master,) = struck, new
    assert fault.at <= master.at <= backup.at, [notice.line for notice in (fault, master, backup)]
    late = abs((master.at - clock.utc(seen.taken_at)).total_seconds())
    judge(observed("notify_writes_each_transition", late < 2, f"MASTER was written {late:.1f} s from the VIP's move"))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V23")
@pytest.mark.rmq_requires("reference")
def test_haproxys_log_has_each_transition_of_a_broker_and_each_session_of_a_client(observe, budget):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    for balancer, transitions in seen.transitions_seen.items():
        down_and_up = [server for server, states in transitions.items() if states == ("DOWN", "UP")]
        tried(len(down_and_up) == 2, f"{balancer} showed {transitions} while {seen.victim} died and came back")
        assert all(server.endswith(f"/{seen.victim}") for server in transitions), f"{balancer} showed {transitions}"
        assert seen.transitions_logged[balancer] == transitions, (
            f"{balancer} logged {seen.transitions_logged[balancer]}, its page showed {transitions}"
        )
    for balancer, (made, _) in seen.sessions.items():
        tried(made > 5, f"{made} sessions were made through {balancer}")
    complete = all(logged >= made for made, logged in seen.sessions.values())
    judge(observed("each_session_is_logged", complete, f"balancer -> (made, logged): {seen.sessions}"))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL)))
