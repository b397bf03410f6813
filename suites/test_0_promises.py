"""Promises on any configuration: what the catalogue's faults do not ask, judged by budgets that no setting changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import limits
import pytest
from limits import blame, kept
from oracle import BALANCER_FAILOVER, BROKER_KILL, tried, universal
from plays import declared
from plays.patience import Patience
from plays.promises_balancers import each_balancer_has_its_turn
from plays.promises_brokers import CROWD, LED_WITHIN, SYNCED_WITHIN, the_home_of_queues_like_theirs_is_killed
from plays.promises_in_peace import CONNECTIONS, nobody_does_any_harm
from plays.theirs import MOST, beyond_the_most, listed

from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.patience import idle_client_survives, silent_client_is_noticed
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.waiting import seconds

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "two_balancers")

blamed = limits.blamed
SURVIVED = seconds(90)
NOTICED = seconds(80)  # three heartbeats of at most 25 s: RabbitMQ's own default of 60 s is too slow
BUSIEST_SHARE = 67


@pytest.fixture(scope="session")
def patience(rmq_stack: Any) -> Iterator[Patience]:
    """Idle and silent clients, opened with the first promise and looked at with the last."""
    clients = Patience(rmq_stack)
    clients.begin()
    yield clients
    with suppress(HarnessError, KeyError):
        clients.end()


@pytest.fixture
def whole(rmq_stack: Any, rmq_settings: Any) -> declared.Whole:
    tried(not rmq_stack.worn, "the stack was left not whole by an earlier scenario, whose verdict that is")
    return declared.looked_at(rmq_stack, rmq_settings.config)


@pytest.mark.rmq_scenario("G10")
def test_everything_that_the_files_declare_is_on_every_node(whole, patience):
    everything_is_whole(whole)


@pytest.mark.rmq_scenario("G3")
def test_each_durable_queue_has_its_replicas_and_all_are_in_sync(observe, blamed):
    seen = observe(nobody_does_any_harm)

    tried(seen.queues, "the configuration declares no durable queue: name them in definitions.json or topology.json")
    few = [
        f"{queue} has {len(queue.replicas.in_sync)} replicas in sync, {queue.needs(seen.brokers)} are needed"
        for queue in seen.queues
        if len(queue.replicas.in_sync) < queue.needs(seen.brokers)
    ]
    said = "; ".join(few) + blamed("replicas") if few else f"all {len(seen.queues)} durable queues have theirs"
    judge(observed("each_queue_has_its_replicas", not few, said))


@pytest.mark.rmq_scenario("G6")
def test_connections_through_the_vip_are_served_and_spread_over_the_brokers(observe, blamed):
    seen = observe(nobody_does_any_harm)

    tried(seen.direct, "a broker could not be reached past the balancers either")
    is_served = seen.served == CONNECTIONS
    said = f"{seen.served} of {CONNECTIONS} connections were opened, all are needed"
    judge(
        observed("connections_through_the_vip", is_served, said + ("" if is_served else blamed("connections served")))
    )
    share = round(100 * max(seen.by_broker.values(), default=0) / CONNECTIONS)
    is_spread = share <= BUSIEST_SHARE and len(seen.by_broker) == seen.brokers
    said = f"the busiest broker has {share} % of them, budget {BUSIEST_SHARE} %: {dict(seen.by_broker)}"
    judge(observed("connections_are_spread", is_spread, said + ("" if is_spread else blamed("connections spread"))))


@pytest.mark.rmq_scenario("G9")
def test_no_default_login_and_no_open_page_through_the_vip(observe, blamed):
    seen = observe(nobody_does_any_harm)

    tried(seen.knocked, "no door gave an answer")
    tried(seen.guest_by_amqp != "unknown", "the broker did not say whether guest may log in by AMQP")
    open_doors = seen.open_doors
    said = (
        "; ".join(open_doors) + blamed("open doors") if open_doors else f"{seen.knocked} doors answered, none is open"
    )
    judge(observed("no_open_doors", not open_doors, f"{len(open_doors)} open doors, budget 0: {said}"))
    tried(not seen.unread, f"nobody knocked where no port can be told: {'; '.join(seen.unread)}")


@pytest.mark.rmq_scenario("G4")
def test_each_durable_queue_outlives_its_home_node(observe, blamed):
    seen = observe(the_home_of_queues_like_theirs_is_killed)

    tried(seen.queues, seen.why_none)
    dead = [str(seen.queues[name]) for name, after in seen.led_after.items() if after is None]
    slowest = max((after for after in seen.led_after.values() if after is not None), default=0.0)
    said = (
        f"{', '.join(dead)} had no leader within {LED_WITHIN} of the death of its home {seen.victim}"
        if dead
        else f"{len(seen.led_after)} queues led by another node after {slowest:.1f} s at most, budget {LED_WITHIN}"
        + (f"; not tried, for nothing stands for them: {listed(seen.untried)}" if seen.untried else "")
    )
    late = "; ".join(f"{seen.queues[name]} {why}" for name, why in seen.behind.items())
    behind = (
        f"{late} {SYNCED_WITHIN} after the return of {seen.victim}: the next death loses messages"
        if late
        else f"every replica was in sync within {SYNCED_WITHIN} of the return of {seen.victim}"
    )
    judge(
        kept("each_queue_outlives_its_home", not dead, said, blamed("replicas")),
        kept("in_sync_after_the_return", not late, behind, blamed("synchronisation")),
    )
    verify(seen.history, *universal(BROKER_KILL, blamed=blamed, prober=False))
    left = beyond_the_most(seen.untried)
    why = f"{MOST} kinds have a stand-in at most, and all of these one home, {seen.victim}"
    tried(not left, f"{len(left)} queues have none: {listed(left)}. {why}")


@pytest.mark.rmq_scenario("G5")
def test_the_remaining_brokers_carry_everybody(observe, blamed):
    seen = observe(the_home_of_queues_like_theirs_is_killed)

    said = f"{seen.crowd} of {CROWD} new clients were served while {seen.victim} was dead, all are needed"
    load = "queues like theirs" if seen.queues else "a quorum queue of ours, for theirs have no stand-in,"
    judge(
        kept("the_others_carry_new_clients", seen.crowd == CROWD, said, blamed("connections served")),
        kept(
            "the_others_carry_the_load",
            seen.served_again,
            f"publishers of {load} were {'' if seen.served_again else 'not '}served within {BROKER_KILL} while "
            f"{seen.victim} was dead",
            blamed("sessions"),
        ),
    )
    verify(seen.history, *universal(BROKER_KILL, blamed=blamed, prober=False))


@pytest.mark.rmq_scenario("G7")
def test_each_balancer_carries_the_load_when_it_is_its_turn(observe, blamed):
    seen = observe(each_balancer_has_its_turn)

    for turn in seen.turns:
        took = "not at all" if turn.taken_after is None else f"after {turn.taken_after:.1f} s"
        in_time = turn.taken_after is not None and turn.taken_after <= BALANCER_FAILOVER.seconds
        said = f"{turn.heir} took the VIP {took} ({turn.how} on {turn.struck}), budget {BALANCER_FAILOVER}"
        judge(observed("the_vip_is_taken_over", in_time, said + ("" if in_time else blamed("take-over"))))
        said = f"clients of {turn.heir} were {'' if turn.served else 'not '}served within 10 s of its turn"
        judge(
            observed(
                "its_clients_are_served", turn.served, said + ("" if turn.served else blamed("connections served"))
            )
        )
    verify(seen.history, *universal(BALANCER_FAILOVER, blamed=blamed))


@pytest.mark.rmq_scenario("G8")
def test_a_balancers_return_costs_no_outage_of_its_own(observe, blamed):
    seen = observe(each_balancer_has_its_turn)

    tried(not seen.unseen, seen.unseen)
    count = seen.interrupted_by_return
    cost = f"{count} interruption{'s' if count != 1 else ''}, budget 0"
    said = f"the return of {seen.turns[0].struck} cost {cost}; it was watched for {seen.watched:g} s"
    judge(observed("the_return_interrupts_nobody", not count, said + (blamed("return") if count else "")))


@pytest.mark.rmq_scenario("G1")
def test_an_idle_client_survives_ninety_seconds(patience, blamed):
    judge(blame(patience.decided(idle_client_survives, SURVIVED), blamed("idle client")))


@pytest.mark.rmq_scenario("G2")
def test_a_client_that_falls_silent_is_noticed(patience, blamed):
    judge(blame(patience.decided(silent_client_is_noticed, NOTICED), blamed("silent client")))


@pytest.mark.rmq_scenario("G11")
def test_everything_that_the_files_declare_is_still_on_every_node_at_the_end(whole, rmq_stack):
    tried(
        faults_since_it_was_built(rmq_stack.timeline.events),
        "no fault of this session has struck this stack: run it behind scenarios that do, in one session",
    )
    everything_is_whole(whole)


def faults_since_it_was_built(events):
    built = max((e.at for e in events if e.kind == "note" and e.subject == "stack"), default=0.0)
    return [e for e in events if e.kind == "fault.gone" and e.at > built]


def everything_is_whole(seen):
    tried(
        seen.declared, "the configuration declares nothing: name users and queues in definitions.json or topology.json"
    )
    everybody = max(seen.members.values(), key=len)
    alone = [node for node, peers in seen.members.items() if peers != everybody or len(peers) < len(seen.members)]
    missing = seen.missing
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    gone = f"{len(missing)} are not there, budget 0: {'; '.join(missing[:3])}{more}"
    judge(
        observed(
            "members_are_whole",
            not alone,
            f"members as each node sees them: { {n: len(p) for n, p in seen.members.items()} }, each has to see all",
        ),
        observed(
            "declared_things_are_there", not missing, gone if missing else f"all {seen.declared} of them, on each node"
        ),
        observed(
            "somebody_can_log_in",
            bool(seen.able),
            f"{len(seen.able)} users of the configuration have permissions in a vhost, 1 is needed",
        ),
    )
