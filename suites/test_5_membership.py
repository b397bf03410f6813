"""Chapter 5, membership and metadata: what every node must know alike after a fault."""

from __future__ import annotations

import pytest
from oracle import BROKER_KILL, universal
from plays.leader_killed import the_leaders_node_is_killed
from plays.whole_cluster import the_last_stopped_starts_first

from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge, verify

pytestmark = pytest.mark.rmq_requires("three_nodes", "vip", "mirrors", "quorum")


@pytest.mark.rmq_scenario("C9")
def test_what_is_declared_while_a_node_is_down_is_in_every_nodes_own_export_afterwards(observe):
    seen = observe(the_leaders_node_is_killed)

    assert len(seen.exports_after) == 3
    for node, export in seen.exports_after.items():
        for kind, names in seen.declared_during.items():
            assert names and names <= export[kind], (
                f"{node}'s export has no {', '.join(names - export[kind])} among its {kind}"
            )
    verify(seen.history, *universal(BROKER_KILL))


@pytest.mark.rmq_scenario("C14")
def test_a_cluster_name_is_the_same_on_every_node_and_through_the_vip_after_a_restart(observe):
    seen = observe(the_last_stopped_starts_first)

    wanted, *names = seen.names
    judge(
        observed(
            "one_cluster_name",
            len(names) == 4 and set(names) == {wanted},
            f"set {wanted}; three nodes and the VIP say {names}",
        )
    )
