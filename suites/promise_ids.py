"""Ids of the promises that are asked of any configuration (docs/gate.md); their chapter says when in a run they are judged.

Chapter 0 comes before every other scenario, 7 with the balancers, 10 when all the faults of the run are over.
"""

from __future__ import annotations

from collections.abc import Iterable

from pytest_rmqha.catalogue import Scenario

FIRST, WITH_THE_BALANCERS, LAST = 0, 7, 10
PROMISES = (
    Scenario("G1", LAST, "An idle client survives 90 s"),
    Scenario("G2", LAST, "A client that falls silent is noticed within 75 s"),
    Scenario("G3", FIRST, "Each durable queue has its replicas, all in sync"),
    Scenario("G4", FIRST, "Each durable queue outlives its home node"),
    Scenario("G5", FIRST, "N-1 brokers carry everybody"),
    Scenario("G6", FIRST, "Connections through the VIP are served and spread over the brokers"),
    Scenario("G7", WITH_THE_BALANCERS, "Each balancer carries the load when it is its turn"),
    Scenario("G8", WITH_THE_BALANCERS, "A balancer's return costs no outage of its own"),
    Scenario("G9", FIRST, "No default login, no open management or statistics page through the VIP"),
    Scenario("G10", FIRST, "Members, users, policies and definitions are whole"),
    Scenario("G11", LAST, "What the files declare outlives every fault of the run"),
)


def pytest_rmqha_scenarios() -> Iterable[Scenario]:
    return PROMISES
