"""A mirroring policy whose pattern does not match the queue that it was written for; its twin's name does match."""

from __future__ import annotations

from dataclasses import dataclass

from plays.unmirrored import answer_to
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.workload import Workload

MISNAMED, NAMED = "payments.ha", "ha-payments"
POLICY, PATTERN = "mirrors-for-payments", "^ha-"


@dataclass(frozen=True)
class Misnamed:
    """Of the two queues, by name: nodes with a copy and the policy in force ("" if none). ``asked``: while the home was away."""

    policies_in_vhost: frozenset[str]
    policy_in_force: dict[str, str]
    copies: dict[str, frozenset[str]]
    asked: str = ""
    twin_led_by: str = ""


def declare(stage: Stage, home: Node) -> Misnamed:
    cluster = stage.cluster
    cluster.policy(POLICY, PATTERN, ha_mode="all", ha_sync_mode="automatic")
    for queue in (MISNAMED, NAMED):
        cluster.declare(queue, home=home)
    cluster.await_synced(NAMED, copies=len(cluster.nodes))
    api = cluster.any_answering().api
    await_match(
        lambda: api.queue(cluster.vhost, NAMED).get("policy"),
        lambda name: name == POLICY,
        what=f"policy {POLICY} told of {NAMED}",
        within=seconds(10),
        ignore=(ToolFailed,),
    )
    return Misnamed(
        frozenset(str(p["name"]) for p in api.get(f"policies/{cluster.vhost}")),
        {q: str(api.queue(cluster.vhost, q).get("policy") or "") for q in (MISNAMED, NAMED)},
        {q: cluster.replicas(q).members for q in (MISNAMED, NAMED)},
    )


def look_while_away(stage: Stage, workload: Workload, home: Node) -> tuple[str, str]:
    """(a broker's answer when the misnamed queue is asked for, the node that leads its twin)"""
    twin = stage.cluster.await_leader(NAMED, other_than=home, within=seconds(15))
    return answer_to(workload, MISNAMED, passive=True), twin.name
