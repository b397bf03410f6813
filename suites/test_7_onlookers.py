"""Chapter 7, told by the onlookers: what a login, a page and a log say while a broker dies and comes back and haproxy dies."""

from __future__ import annotations

import limits
import pytest
from limits import kept, within
from oracle import BALANCER_FAILOVER, BROKER_KILL, tried, universal
from plays.logins import IN_A_ROW
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
from pytest_rmqha.waiting import seconds

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")
blamed = limits.blamed
WRITTEN_WITHIN = seconds(2)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V18")
def test_new_connections_spread_over_all_brokers_before_a_broker_dies_and_after_it_is_back(observe, budget, blamed):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    tried(not seen.ramp_is_longer, seen.ramp_is_longer)
    before, back = seen.shares[BEFORE], seen.shares[BACK]
    few = [node for node, count in before.items() if count < FAIR]
    wrong = f"{', '.join(few)} got fewer than {FAIR} before" if few else unevenly(back, seen.lasting, seen.victims_node)
    shares = f"before {before}, after its return {back}; the older ones then {seen.lasting}"
    said = f"of {DEALT} new connections each time: {shares}" + (f": {wrong}" if wrong else "")
    judge(kept("connections_spread", not wrong, said, blamed("connections spread")))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V19")
@pytest.mark.rmq_requires("vip_management")
def test_the_management_api_behind_the_vip_lets_one_log_in_before_during_and_after_each_failover(
    observe, budget, blamed
):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    logins = {when: look.login for when, look in seen.looks.items()}
    lines = blamed("connections served")
    judge(
        *the_management_follows_the_vip(logins, seen.cluster_names, lines),
        within(
            "login_after_a_brokers_death",
            logins[DEAD].after,
            BROKER_KILL,
            f"the first of {IN_A_ROW} logins in a row after the broker's death was",
            lines,
        ),
        within(
            "login_after_haproxys_death",
            logins[MOVED].after,
            BALANCER_FAILOVER,
            f"the first of {IN_A_ROW} logins in a row after haproxy's was",
            lines,
        ),
    )
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


def the_management_follows_the_vip(logins, cluster_names, lines):
    took = ", ".join(f"{when}: {login.after:.1f} s" for when, login in logins.items() if login.worked)
    refused = [f"{when}: {login.why}" for when, login in logins.items() if not login.worked]
    others = [
        f"{when}: {', '.join(sorted(wrong))}"
        for when, login in logins.items()
        if (wrong := login.names - cluster_names)
    ]
    without = [when for when, login in logins.items() if login.worked and not login.page]
    said = f"{IN_A_ROW} logins in a row, the first after {took or 'never'}; without such a row, budget 0: {refused}"
    return (
        kept("the_management_api_follows_the_vip", not refused, said, lines),
        kept(
            "the_management_page_follows_the_vip", not without, f"no page at / of the VIP, budget 0: {without}", lines
        ),
        kept("the_vip_leads_to_this_cluster", not others, f"names that are none of {sorted(cluster_names)}: {others}"),
    )


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
    judge(kept("pages_tell_the_truth", not wrong, said, blamed("marked down")))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V21")
@pytest.mark.rmq_requires("reference")
def test_the_notify_script_writes_each_transition_of_both_balancers_completely_and_in_order(observe, budget, blamed):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    struck, new = seen.notified[seen.struck_holder], seen.notified[seen.new_holder]
    assert [notice.state for notice in struck] == ["FAULT", "BACKUP"], [notice.line for notice in struck]
    assert [notice.state for notice in new] == ["MASTER"], [notice.line for notice in new]
    (fault, backup), (master,) = struck, new
    assert fault.at <= master.at <= backup.at, [notice.line for notice in (fault, master, backup)]
    late = abs((master.at - clock.utc(seen.taken_at)).total_seconds())
    said = f"MASTER was written {late:.1f} s from the VIP's move, budget {WRITTEN_WITHIN}"
    judge(observed("notify_writes_each_transition", late < WRITTEN_WITHIN.seconds, said))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("V23")
@pytest.mark.rmq_requires("reference")
def test_haproxys_log_has_each_transition_of_a_broker_and_each_session_of_a_client(observe, budget, blamed):
    seen = observe(a_broker_and_then_haproxy_die_while_everybody_looks_on)

    for balancer, transitions in seen.transitions_seen.items():
        down_and_up = [server for server, states in transitions.items() if states == ("DOWN", "UP")]
        tried(len(down_and_up) == 2, f"{balancer} showed {transitions} while {seen.victim} died and came back")
        assert all(server.endswith(f"/{seen.victim}") for server in transitions), f"{balancer} showed {transitions}"
        assert seen.transitions_logged[balancer] == transitions, (
            f"{balancer} logged {seen.transitions_logged[balancer]}, its page showed {transitions}"
        )
    for balancer, logged in seen.sessions.items():
        tried(logged.made > 5, f"{logged.made} sessions were made through {balancer}")
    judge(*each_session_is_logged(seen.sessions))
    verify(seen.history, *universal(budget("publishing", BROKER_KILL), budget, blamed))


def each_session_is_logged(sessions):
    made = ", ".join(f"{balancer}: {logged.made}" for balancer, logged in sessions.items())
    missing = [f"{balancer}: {session}" for balancer, logged in sessions.items() for session in logged.missing]
    disordered = [f"{balancer}: {line}" for balancer, logged in sessions.items() for line in logged.disordered]
    lost = f"of the sessions that had to be logged ({made}) have no line of their own, budget 0: {listed(missing)}"
    return (
        observed("each_session_is_logged", not missing, lost),
        observed("sessions_are_logged_in_order", not disordered, f"lines out of order, budget 0: {listed(disordered)}"),
    )


def listed(found):
    return f"{len(found)} ({'; '.join(found[:5])}{'; …' if len(found) > 5 else ''})" if found else "0"
