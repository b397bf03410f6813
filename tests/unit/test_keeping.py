"""What somebody is told of a stack that is left standing: each address is one where that thing listens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from pytest_rmqha.adapters.keeping import how_to_get_in


def test_amqp_management_statistics_shells_and_the_way_out_are_told() -> None:
    def member(name: str, host: int) -> Any:
        return SimpleNamespace(service=name, address=f"192.0.2.{host}")

    brokers, balancers = [member("rmq1", 1), member("rmq2", 2)], [member("lb1", 11)]
    stack = SimpleNamespace(
        run="r7",
        worn=False,
        front="192.0.2.100",
        nodes=brokers,
        balancers=balancers,
        project=SimpleNamespace(name="rmqha-r7"),
        topology=SimpleNamespace(members=[*brokers, *balancers]),
    )

    told = how_to_get_in(cast(Any, stack))
    assert told == [
        "AMQP 192.0.2.100:5672, user rmqha-admin, management http://192.0.2.1:15672, http://192.0.2.2:15672",
        "  its password: docker exec rmqha-r7-rmq1-1 cat /run/rmqha/admin",
        "haproxy of lb1: http://192.0.2.11:18888/rmqha, user and password: docker exec rmqha-r7-lb1-1 cat /etc/default/haproxy",
        "shell: docker exec -it rmqha-r7-rmq1-1 bash",
        "shell: docker exec -it rmqha-r7-rmq2-1 bash",
        "shell: docker exec -it rmqha-r7-lb1-1 bash",
        "again on it: pytest … --rmq-reuse=r7",
        "remove it: rmqha down r7",
    ]

    stack.worn = True
    assert how_to_get_in(cast(Any, stack)) == [
        *told[:-2],
        "not to be run on again: a scenario left it not whole",
        told[-1],
    ]
