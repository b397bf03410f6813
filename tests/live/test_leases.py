"""What the markers of a scenario do to the stack it gets, on the real stack: a variant, a fresh cluster (``make live``)."""

from __future__ import annotations

import pytest

from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import judge
from pytest_rmqha.lease import Stage

pytestmark = pytest.mark.rmq_scenario("N1", kind="promise")
STARTED: dict[str, dict[str, str]] = {}


def strategy(stage: Stage) -> set[str]:
    """What each running broker has for ``cluster_partition_handling``, asked of itself."""
    ask = "{ok, S} = application:get_env(rabbit, cluster_partition_handling), S."
    return {n.containers.must(n.service, "rabbitmqctl", "eval", ask).strip() for n in stage.cluster.nodes}


def containers(stack: Stack) -> dict[str, str]:
    return {m.service: str(stack.engine.container(m.service).id) for m in stack.topology.members}


def boots(stack: Stack) -> dict[str, str]:
    """When each member's container was started last."""
    return {
        m.service: str(stack.engine.container(m.service).attrs["State"]["StartedAt"]) for m in stack.topology.members
    }


def test_1_the_plain_reference_pauses_a_minority(rmq_stage: Stage, rmq_stack: Stack) -> None:
    STARTED["plain"], STARTED["containers"] = boots(rmq_stack), containers(rmq_stack)

    seen = strategy(rmq_stage)
    judge(observed("the strategy is the reference's", seen == {"pause_minority"}, str(seen)))


@pytest.mark.rmq_variant("autoheal")
def test_2_a_variant_is_what_the_brokers_run_on_and_nobody_else_is_restarted(
    rmq_stage: Stage, rmq_stack: Stack
) -> None:
    STARTED["variant"] = boots(rmq_stack)
    restarted = {m for m, at in STARTED["variant"].items() if at != STARTED["plain"][m]}

    seen = strategy(rmq_stage)
    same = containers(rmq_stack) == STARTED["containers"]

    judge(
        observed("the strategy is the variant's", seen == {"autoheal"}, str(seen)),
        observed("the brokers alone were restarted", restarted == {n.service for n in rmq_stack.nodes}, str(restarted)),
        observed("the containers are the same", same, str(same)),
    )


@pytest.mark.rmq_variant("autoheal")
def test_3_a_variant_that_stands_is_not_entered_again(rmq_stage: Stage, rmq_stack: Stack) -> None:
    same = boots(rmq_stack) == STARTED["variant"]
    judge(observed("nobody was restarted", same, str(same)))


@pytest.mark.rmq_fresh_cluster
def test_4_a_fresh_cluster_is_made_of_new_containers_and_of_the_plain_reference(
    rmq_stage: Stage, rmq_stack: Stack
) -> None:
    now = containers(rmq_stack)

    old, seen = set(now.values()) & set(STARTED["containers"].values()), strategy(rmq_stage)

    judge(
        observed("every container is new", not old, f"{len(old)} of {len(now)} are old"),
        observed("the strategy is the reference's again", seen == {"pause_minority"}, str(seen)),
    )
