"""The ways that get a link proxy only for a while, hurt on the real stack and measured at the affected peer (``make live``)."""

from __future__ import annotations

import time

from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults import detour as faults
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds


def connects_in(stage: Stage) -> float:
    """Seconds that the load client takes for a connection through the VIP and one declare; infinite when it gets none."""
    begun = time.monotonic()
    try:
        queue = {"name": "probe", "durable": True, "arguments": {}}
        stage.stack.wire.ask("declare", queues=[queue], within=30)  # type: ignore[union-attr]
    except HarnessError:
        return float("inf")
    return time.monotonic() - begun


def test_latency_between_clients_and_vip_is_felt_by_the_clients_and_gone_afterwards(rmq_stage: Stage) -> None:
    rmq_stage.cluster.declare("probe")
    rmq_stage.workload("probe").prepare()
    detour = rmq_stage.detour_to_the_vip()
    before = connects_in(rmq_stage)

    with rmq_stage.chaos.inject(_in_use(rmq_stage, detour)):
        through = connects_in(rmq_stage)
        with rmq_stage.chaos.inject(faults.slowed(detour, milliseconds=150)):
            slow = connects_in(rmq_stage)
        again = connects_in(rmq_stage)
    after = connects_in(rmq_stage)

    assert max(before, through, again, after) < 1.0, (before, through, again, after)
    assert slow > before + 5 * 0.3, "a connection takes more than five round trips"


def test_a_cut_between_one_balancer_and_one_broker_is_seen_by_that_balancer_alone(rmq_stage: Stage) -> None:
    first, second = rmq_stage.balancers
    broker = rmq_stage.cluster.nodes[0]
    detour = rmq_stage.detour_between(first, broker)

    with rmq_stage.chaos.inject(faults.detoured(detour)):
        await_match(lambda: first.sees(broker), lambda s: s == {"UP"}, what="UP by the detour", within=seconds(10))
        with rmq_stage.chaos.inject(faults.cut(detour, silently=True)):
            seen = await_match(
                lambda: first.backends()[f"amqp_brokers/{broker}"],
                lambda s: s == "DOWN",
                what=f"{broker} DOWN on {first}",
                within=seconds(15),
            )
            elsewhere = second.backends()[f"amqp_brokers/{broker}"]

    assert (seen, elsewhere) == ("DOWN", "UP")


def _in_use(stage: Stage, detour: Detour) -> faults.Fault:
    """The prober of a load would take the detour; without one, a connection of ours has to."""
    fault = faults.detoured(detour)
    seen = fault.in_effect

    def in_effect() -> bool:
        connects_in(stage)
        return seen()

    return faults.Fault(
        fault.title, fault.inject, fault.heal, in_effect, fault.is_gone, fault.within, fault.gone_within, fault.targets
    )
