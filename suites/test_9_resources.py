"""Chapter 9, resources and mixed load: what a broker that runs short does to everybody."""

from __future__ import annotations

import limits
import pytest
from limits import within
from oracle import BALANCER_FAILOVER, keeping, tried
from plays.alarms import one_broker_has_a_memory_alarm

from pytest_rmqha.checkers.availability import new_connections_are_served_within
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.waiting import seconds

blamed = limits.blamed

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")
UNBLOCKED = seconds(10)


@pytest.mark.rmq_profile("nightly")
@pytest.mark.rmq_scenario("L1")
def test_a_memory_alarm_on_one_broker_blocks_publishers_on_all_and_consumers_on_none(observe, blamed):
    seen = observe(one_broker_has_a_memory_alarm)

    reached = {c.peer for c in seen.history.connects if c.ok and c.role in seen.on_each}
    tried(len(reached) == len(seen.on_each) == 3, f"the publishers on single brokers reached {sorted(reached)} only")
    assert seen.blocked >= seen.publishers, f"not blocked: {seen.publishers - seen.blocked}"
    assert seen.confirmed_while_blocked == 0, f"{seen.confirmed_while_blocked} messages were confirmed during the alarm"
    assert seen.consumed_while_blocked == seen.backlog
    assert seen.unblocked >= seen.publishers, f"not unblocked: {seen.publishers - seen.unblocked}"
    judge(within("publishers_are_let_on", seen.unblocked_after, UNBLOCKED, "publishers were let on after the alarm"))
    verify(seen.history, *keeping(blamed), new_connections_are_served_within(BALANCER_FAILOVER))
