"""One kill, many questions: the node that leads the loaded queues is killed under load, and heals.

On the same node live an unmirrored queue, the mirror of a two-replica queue and a publisher that floods: N1, N5, N15,
S10, V11, C9 and K1 each look at their own part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plays import unmirrored
from plays.placing import someone_on
from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, NoVerdict, ToolFailed
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

PLAIN_PERSISTENT = 200
DOWN_WITHIN = seconds(15)


@dataclass(frozen=True)
class Seen:
    """What each id needs. Nodes by Erlang name, times in seconds after the kill."""

    history: History
    victim: str
    mirrors_in_sync_before: frozenset[str]
    mirror_promoted: str
    quorum_leader_elected: str
    leader_elsewhere_before: str
    leader_elsewhere_after: str
    clients_on_victim: tuple[str, ...]
    reconnected: tuple[str, ...]
    plain_redeclared: str
    plain_persistent_before: int
    plain_counts_after: dict[str, int]
    two_replicas_before: frozenset[str]
    two_replicas_during: frozenset[str]
    two_in_sync_during: frozenset[str]
    backend_down_after: dict[str, float]
    others_stayed_up: bool
    clients_elsewhere: int
    broken_elsewhere: tuple[str, ...]
    declared_during: dict[str, frozenset[str]]
    exports_after: dict[str, dict[str, frozenset[str]]]
    unknown_after_kill: int
    fate: Any


def the_leaders_node_is_killed(stage: Stage) -> Seen:
    keeper, victim, third = stage.cluster.nodes
    cluster = stage.cluster
    ha, quorum = stage.mirrored("ha.load", home=victim), stage.quorum("quorum.load", home=victim)
    elsewhere, flooded = stage.mirrored("ha.elsewhere", home=keeper), stage.mirrored("ha.flooded", home=keeper)
    two = _two_replicas_with_its_mirror_on(victim, keeper, stage)
    plain = cluster.declare("plain.durable", home=victim)
    workload = stage.workload(ha, quorum, elsewhere)
    servers = _servers_of(stage, victim)
    in_sync, two_before = cluster.replicas(ha).in_sync - {victim.name}, cluster.replicas(two).members
    workload.prepare()
    workload.publish_some(plain, PLAIN_PERSISTENT, stream="plain")
    workload.publish_some(two, PLAIN_PERSISTENT, stream="two")

    with workload.running():
        clients = someone_on(victim, elsewhere, workload, cluster)
        _flood(workload, flooded, victim)
        placed = dict(cluster.clients(excluded=(victim,)))
        with stage.chaos.inject(killed(cluster, victim)):
            promoted = cluster.await_leader(ha, other_than=victim, within=seconds(15))
            elected = cluster.await_leader(quorum, other_than=victim, within=seconds(15))
            workload.await_progress(within=seconds(15))
            reconnected = _await_reconnected(stage, clients)
            redeclared = unmirrored.answer_to(workload, plain)
            elsewhere_after = cluster.leader_of(elsewhere).name
            during = await_match(
                lambda: cluster.replicas(two),
                lambda r: third.name in r.members and victim.name not in r.members | r.in_sync,
                what=f"a new mirror of {two} on {third}, the dead one no longer listed",
                within=seconds(15),
                ignore=(ToolFailed, KeyError),
                error=InvariantNotUpheld,
            )
            down = when_marked_down(stage, servers)
            declared = _declare_everything(cluster, keeper, f"during.{stage.started:.0f}")
        unknown = _unknown(workload, "flood")
        workload.wire.ask("republish", stream="flood", host=workload.access.host)
        counts = _counts(cluster, plain)
        for queue in (plain, flooded, two):
            workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    history = workload.history
    return Seen(
        history,
        victim.name,
        in_sync,
        promoted.name,
        elected.name,
        keeper.name,
        elsewhere_after,
        clients,
        reconnected,
        redeclared,
        PLAIN_PERSISTENT,
        counts,
        two_before,
        during.members,
        during.in_sync,
        down,
        others_up(stage, servers),
        sum(node != victim.name for node in placed.values()),
        _broken_elsewhere(stage, placed, victim),
        declared,
        {str(n): _exported(n, cluster.vhost) for n in cluster.nodes},
        unknown,
        next(s for s in history.streams if s.name == "flood"),
    )


def _two_replicas_with_its_mirror_on(victim: Node, home: Node, stage: Stage) -> str:
    """``exactly 2`` puts its mirror where it likes: declare until it likes the victim."""
    for number in range(12):
        name = stage.mirrored(f"ha.two.{number}", home=home, ha_mode="exactly", ha_params=2, ha_sync_mode="manual")
        if victim.name in stage.cluster.replicas(name).members:
            return name
    raise NoVerdict(f"no queue with exactly two replicas got its mirror on {victim} in 12 tries")


def _flood(workload: Workload, queue: str, node: Node) -> None:
    """A publisher with many unanswered messages, pinned to the node that is about to die and not coming back by itself."""
    workload.wire.ask(
        "publish", stream="flood", queue=queue, host=node.address, window=500, rate=0, limit=100_000, reconnect=False
    )
    await_match(
        lambda: workload.progress().get("flood", (0, 0))[0],
        lambda n: n > 0,
        what="the flood's first confirm",
        within=seconds(10),
    )


def _unknown(workload: Workload, stream: str) -> int:
    counters = workload.wire.ask("progress", within=10)["streams"][stream]
    return int(counters["attempted"]) - int(counters["confirmed"]) - int(counters["nacked"]) - int(counters["returned"])


def _reconnected(stage: Stage) -> tuple[str, ...]:
    killed_at = next(e.at for e in stage.events if e.kind == "fault.injected")
    return tuple(
        sorted({e.subject for e in stage.events if e.kind == "client" and e.text == "connected" and e.at > killed_at})
    )


def _await_reconnected(stage: Stage, clients: tuple[str, ...]) -> tuple[str, ...]:
    return await_match(
        lambda: _reconnected(stage),
        lambda back: set(clients) <= set(back),
        what=f"{', '.join(clients)} connected again",
        within=seconds(15),
        error=InvariantNotUpheld,
    )


def _broken_elsewhere(stage: Stage, placed: Mapping[str, str], victim: Node) -> tuple[str, ...]:
    """Clients that were cut off while the victim was dead although their connection was not on it."""
    struck = next(e.at for e in stage.events if e.kind == "fault.injected")
    healed = next(e.at for e in stage.events if e.kind == "fault.healed")
    during = [e for e in stage.events if e.kind == "client" and struck < e.at < healed]
    gave_up = {e.subject for e in during if e.text == "confirm_timeout"}  # those cut themselves off
    cut = {e.subject for e in during if e.text == "disconnected"} - gave_up
    return tuple(sorted(name for name in cut if placed.get(name) not in (None, victim.name)))


def when_marked_down(stage: Stage, servers: Mapping[str, frozenset[str]]) -> dict[str, float]:
    """``servers``: balancer -> "backend/server" of the victim. Seconds from the kill until its haproxy had the last of them
    DOWN, whatever they and their backends are called; infinite if it had not ``DOWN_WITHIN`` later.
    """
    struck = next(e.at for e in stage.events if e.kind == "fault.injected")

    def ask() -> dict[str, float]:
        first: dict[str, float] = {}
        for e in stage.events:
            if e.kind == "backend" and e.at > struck and e.data.get("state") == "DOWN":
                first.setdefault(e.subject, e.at - struck)
        return {b: max(first.get(f"{b}/{server}", math.inf) for server in mine) for b, mine in servers.items()}

    try:
        return await_match(
            ask,
            lambda seen: max(seen.values()) < math.inf,
            what="the victim DOWN on every balancer",
            within=DOWN_WITHIN,
        )
    except BudgetSpent:
        return ask()


def _servers_of(stage: Stage, victim: Node) -> dict[str, frozenset[str]]:
    found = {str(balancer): balancer.servers_of(victim) for balancer in stage.balancers}
    if without := [balancer for balancer, servers in found.items() if not servers]:
        raise NoVerdict(f"no server of {' and '.join(without)} is at {victim.address}: a DOWN could not be seen")
    return found


def others_up(stage: Stage, servers: Mapping[str, frozenset[str]]) -> bool:
    """No server but the victim's was marked DOWN."""
    own = {f"{balancer}/{server}" for balancer, mine in servers.items() for server in mine}
    downs = (e for e in stage.events if e.kind == "backend" and e.data.get("state") == "DOWN")
    return all(e.subject in own for e in downs)


def _declare_everything(cluster: Cluster, via: Node, user: str) -> dict[str, frozenset[str]]:
    """One of each kind, declared while a node is down. ``user`` is new: users outlive the scenario's vhost."""
    api, vhost = via.api, cluster.vhost
    api.put_queue(vhost, "during.queue", {})
    api.put_exchange(vhost, "during.exchange")
    api.put_binding(vhost, "during.exchange", "during.queue", "during.key")
    api.put_policy(vhost, "during.policy", "^nothing-is-called-this$", {"max-length": 10})
    api.put_user(user, clock.utc(clock.now()).isoformat())
    return {
        "queues": frozenset({"during.queue"}),
        "exchanges": frozenset({"during.exchange"}),
        "bindings": frozenset({"during.exchange→during.queue"}),
        "policies": frozenset({"during.policy"}),
        "users": frozenset({user}),
    }


def _exported(node: Node, vhost: str) -> dict[str, frozenset[str]]:
    """Names in one node's own export, in the scenario's vhost (users have none)."""
    export = node.api.definitions()
    found = {
        kind: frozenset(o["name"] for o in export[kind] if o.get("vhost", vhost) == vhost)
        for kind in ("queues", "exchanges", "policies", "users")
    }
    found["bindings"] = frozenset(
        f"{b['source']}→{b['destination']}" for b in export["bindings"] if b["vhost"] == vhost
    )
    return found


def _counts(cluster: Cluster, queue: str) -> dict[str, int]:
    """What each node says is in the queue, once its statistics have caught up."""
    for node in cluster.nodes:
        cluster.await_messages(queue, PLAIN_PERSISTENT, via=node)
    return {str(node): cluster.replicas(queue, node).messages for node in cluster.nodes}
