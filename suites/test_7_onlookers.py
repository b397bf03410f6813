"""Chapter 7, told by the onlookers: what a login, a page and a log say while a broker dies and comes back and haproxy dies."""

from __future__ import annotations

import limits
import pytest
from limits import kept, within
from oracle import BALANCER_FAILOVER, BROKER_KILL, tried, universal
from plays.views import (
    BACK,
    BEFORE,
    DEAD,
    DEALT,
    FAIR,
    MOVED,
    a_broker_and_then_haproxy_die_while_everybody_looks_on,
    told,
    unevenly,
)

from pytest_rmqha import clock
from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")
blamed = limits.blamed


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V18")
def test_new_connections_spread_over_all_brokers_before_a_broker_dies_and_after_it_is_back(observe, budget, blamed):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    before, back = seen.shares[BEFORE], seen.shares[BACK]
    few = [node for node, count in before.items() if count < FAIR]
    wrong = f"{', '.join(few)} got fewer than {FAIR} before" if few else unevenly(back, seen.lasting, seen.victims_node)
    shares = f"before {before}, after its return {back}; the older ones then {seen.lasting}"
    said = f"of {DEALT} new connections each time: {shares}" + (f": {wrong}" if wrong else "")
    judge(kept("connections_spread", not wrong, said, blamed("connections spread")))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V19")
def test_the_management_api_behind_the_vip_lets_one_log_in_before_during_and_after_each_failover(
    observe, budget, blamed
):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    took = {when: look.logged_in_after for when, look in seen.looks.items()}
    others = [f"{when}: {look.name}" for when, look in seen.looks.items() if look.name not in seen.cluster_names]
    names = f"names behind the VIP that are none of {sorted(seen.cluster_names)}, budget 0: {others}"
    told_so = ", ".join(f"{when}: {seconds_:.1f} s" for when, seconds_ in took.items())
    lines = blamed("connections served")
    judge(
        kept("the_vip_leads_to_this_cluster", not others, names),
        kept("the_management_api_follows_the_vip", len(took) == 5, f"first login, {told_so}", lines),
        within(
            "login_after_a_brokers_death",
            took[DEAD],
            BROKER_KILL,
            "the first login after the broker's death was",
            lines,
        ),
        within(
            "login_after_haproxys_death", took[MOVED], BALANCER_FAILOVER, "the first login after haproxy's was", lines
        ),
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V20")
def test_each_statistics_page_says_of_each_broker_what_it_does(observe, budget, blamed):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    tried(not seen.looks[DEAD].serving[seen.victim], f"{seen.victim} still served when it had to be dead")
    wrong = [
        f"{when}: {balancer} shows {page}, serving: {look.serving}"
        for when, look in seen.looks.items()
        for balancer, page in look.pages.items()
        if page != told(look.serving)
    ]
    pages = sum(len(look.pages) for look in seen.looks.values())
    said = f"{pages} pages at {len(seen.looks)} moments, {len(wrong)} were not as the brokers were, budget 0: {wrong}"
    judge(kept("pages_tell_the_truth", pages == 9 and not wrong, said, blamed("marked down")))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget))


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
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget))


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
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget))
