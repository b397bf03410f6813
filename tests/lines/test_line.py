"""Every RabbitMQ line: a cluster forms, takes traffic through the VIP, and outlives the death of a quorum leader.

``make lines`` runs it once for each line; it is no part of ``make test``.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rmqha.checkers.availability import publishing_stalls_for_at_most
from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.verdict import verify
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import seconds


@pytest.mark.rmq_scenario("N1")
@pytest.mark.rmq_requires("quorum", "vip", "three_nodes")
def test_a_line_forms_serves_through_the_vip_and_outlives_a_leader(rmq_stage: Stage, record_property: Any) -> None:
    queue = rmq_stage.quorum("quorum.load")
    leader = rmq_stage.cluster.leader_of(queue)
    workload = rmq_stage.workload(queue)

    with workload.running(), rmq_stage.chaos.inject(killed(rmq_stage.cluster, leader)):
        elected = rmq_stage.cluster.await_leader(queue, other_than=leader, within=seconds(15))
        workload.await_progress(within=seconds(15))

    record_property("rmq.elected", str(elected))
    verify(
        workload.history,
        nothing_confirmed_is_lost,
        nothing_comes_from_nowhere,
        repeats_say_so,
        publishing_stalls_for_at_most(seconds(15)),
    )
