"""Chapter 8, clients: what a client may believe, and what it has to do itself."""

from __future__ import annotations

import pytest
from oracle import BROKER_KILL, tried, universal
from plays.leader_killed import the_leaders_node_is_killed

from pytest_rmqha.checkers.verdict import verify

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")


@pytest.mark.rmq_scenario("K1")
def test_a_publish_whose_connection_died_is_unknown_and_a_republish_settles_it(observe):
    seen = observe(the_leaders_node_is_killed)

    flood = seen.fate
    tried(seen.unknown_after_kill, "no publish was left without an answer")
    assert flood.republished.count() == seen.unknown_after_kill
    assert flood.unknown.count() == 0, f"{flood.unknown.count()} republished messages have no answer either"
    arrived_twice = (flood.republished & flood.repeated).count()
    arrived = (flood.republished & flood.delivered).count()
    assert arrived == seen.unknown_after_kill, (
        f"{arrived} of {seen.unknown_after_kill} arrived, {arrived_twice} of them twice"
    )
    verify(seen.history, *universal(BROKER_KILL))
