"""A broker dies and comes back, then haproxy dies on the VIP's holder: what everybody who looks on is told meanwhile.

The management API behind the VIP (V19), the statistics pages (V20), keepalived's notify log (V21), haproxy's log (V23) and
the spread of connections (V18) are asked at each point of the same two faults.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from plays.balancer_records import Notice, logged_transitions, notices, seen_transitions, sessions_accepted
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, HarnessError, InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults import node as node_faults
from pytest_rmqha.faults.vip import haproxy_killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

DEALT = 24
FAIR = DEALT // 6  # half of a broker's fair share
BEFORE, DEAD, BACK, MOVED, AFTER = "before", "a broker is dead", "the broker is back", "haproxy is dead", "after"
SLACK = 0.5
Transitions = dict[str, dict[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Look:
    """One moment. ``logged_in_after``: seconds from the fault (or the asking) to the first login through the VIP.

    ``pages``: balancer -> broker -> states on its statistics page; ``serving``: broker -> do its ports answer?
    """

    logged_in_after: float
    name: str
    pages: dict[str, dict[str, frozenset[str]]]
    serving: dict[str, bool]


@dataclass(frozen=True)
class Seen:
    """``shares``: when -> Erlang node -> how many of ``DEALT`` new connections it got; ``lasting``: who has those that were
    opened before the kill, once the broker is back. ``taken_at``: when the new holder was first seen with the VIP, monotonic
    seconds. ``sessions``: balancer -> (made through it, logged by it).
    """

    history: History
    victim: str
    victims_node: str
    cluster_names: frozenset[str]
    struck_holder: str
    new_holder: str
    looks: dict[str, Look]
    shares: dict[str, dict[str, int]]
    lasting: dict[str, int]
    notified: dict[str, tuple[Notice, ...]]
    taken_at: float
    transitions_seen: Transitions
    transitions_logged: Transitions
    sessions: dict[str, tuple[int, int]]


def a_broker_and_then_haproxy_die_while_everybody_looks_on(stage: Stage) -> Seen:
    keeper, victim, _ = stage.cluster.nodes
    workload = stage.workload(stage.mirrored("ha.load", home=keeper), stage.quorum("quorum.load", home=keeper))
    holder = stage.vip.holder()
    other = stage.vip.other(holder)
    looks: dict[str, Look] = {}
    shares: dict[str, dict[str, int]] = {}

    with workload.running():
        looks[BEFORE] = _look(stage, stage.balancers, clock.now())
        shares[BEFORE] = _deal(stage, workload, BEFORE)
        with stage.chaos.inject(node_faults.killed(stage.cluster, victim)):
            looks[DEAD] = _look(stage, stage.balancers, _last(stage, "fault.injected"))
        await_match(
            lambda: [str(node) for node in stage.cluster.nodes if not _serves(node)],
            lambda deaf: not deaf,
            what="both ports of every broker, which open one after the other",
            within=seconds(15),
        )
        looks[BACK] = _look(stage, stage.balancers, clock.now())
        shares[BACK] = _deal(stage, workload, BACK)
        lasting = _count(stage, BEFORE)
        undisturbed = clock.now()
        with stage.chaos.inject(haproxy_killed(holder, stage.vip)):
            struck = _last(stage, "fault.injected")
            looks[MOVED] = _look(stage, (other,), struck)
            stage.vip.await_holder(other, within=seconds(15))
            workload.await_progress(within=seconds(15))
        looks[AFTER] = _look(stage, stage.balancers, clock.now())
        workload.await_progress(within=seconds(15))
    taken = _taken(stage, other, struck)
    quiet = tuple(e for e in stage.events if e.at < undisturbed)
    return Seen(
        workload.history,
        str(victim),
        victim.name,
        frozenset(str(node.api.get("cluster-name")["name"]) for node in stage.cluster.nodes),
        str(holder),
        str(other),
        looks,
        shares,
        lasting,
        {str(b): notices(b, stage.started) for b in stage.balancers},
        taken,
        {str(b): seen_transitions(b, quiet) for b in stage.balancers},
        {str(b): logged_transitions(b, stage.started) for b in stage.balancers},
        {
            str(holder): _sessions(stage, workload.history, holder, stage.started, undisturbed, only="prober"),
            str(other): _sessions(stage, workload.history, other, taken + 1, clock.now()),
        },
    )


def _look(stage: Stage, balancers: Sequence[Balancer], since: float) -> Look:
    """Log in through the VIP, then wait until every page tells what the brokers do: both are promises with a budget."""
    name = await_match(
        stage.name_through_the_vip,
        bool,
        what="a login at the management API through the VIP",
        within=seconds(15),
        every=0.1,
        ignore=(HarnessError, KeyError),
        error=InvariantNotUpheld,
    )
    logged_in = clock.now() - since

    def ask() -> tuple[dict[str, dict[str, frozenset[str]]], dict[str, bool]]:
        serving = {str(node): _serves(node) for node in stage.cluster.nodes}
        return {str(b): {str(node): b.sees(node) for node in stage.cluster.nodes} for b in balancers}, serving

    pages, serving = await_match(
        ask,
        lambda seen: all(page == told(seen[1]) for page in seen[0].values()),
        what="statistics pages that say of each broker what it does",
        within=seconds(10),
        error=InvariantNotUpheld,
    )
    return Look(logged_in, name, pages, serving)


def told(serving: dict[str, bool]) -> dict[str, frozenset[str]]:
    """What a page has to say of brokers that serve, or do not."""
    return {broker: frozenset({"UP" if serves else "DOWN"}) for broker, serves in serving.items()}


def _serves(node: Node) -> bool:
    """Both of its ports are open; a dead broker has neither."""
    for port in (5672, 15672):
        try:
            socket.create_connection((node.address, port), timeout=0.5).close()
        except OSError:
            return False
    return True


def _deal(stage: Stage, workload: Workload, when: str) -> dict[str, int]:
    """Open ``DEALT`` connections through the VIP, one after the other, and see which broker each one got."""
    for number in range(DEALT):
        workload.wire.ask("idle", role=f"{when}.{number}")
    return await_match(
        lambda: _count(stage, when),
        lambda found: sum(found.values()) == DEALT,
        what=f"{DEALT} new connections in the API",
        within=seconds(20),
        ignore=(ToolFailed,),
    )


def _count(stage: Stage, when: str) -> dict[str, int]:
    """Erlang node -> how many of the connections that were dealt then it has now."""
    found = Counter({node.name: 0 for node in stage.cluster.nodes})
    found.update(node for name, node in stage.cluster.clients().items() if name.startswith(f"{when}."))
    return dict(found)


def unevenly(shares: dict[str, int], lasting: dict[str, int], back: str) -> str:
    """Why connections are not spread after ``back`` (Erlang node) has returned; empty if they are.

    Round robin deals the new ones evenly, whoever has how many; leastconn gives the one that is back nearly all of them
    until everybody has as many. Either is a spread: of the new ones, or of the old and the new together. In neither is a
    broker left out, least of all the one that is back.
    """
    total = {node: shares[node] + lasting[node] for node in shares}
    if left_out := [node for node, count in shares.items() if not count]:
        return f"{', '.join(left_out)} got none of the new ones"
    if shares[back] < FAIR:
        return f"{back} is back and got {shares[back]} of the new ones, at least {FAIR} are needed"
    if min(shares.values()) < FAIR and min(total.values()) < sum(total.values()) // 6:
        return "neither the new ones nor all of them are spread"
    return ""


def _last(stage: Stage, kind: str) -> float:
    return max(e.at for e in stage.events if e.kind == kind)


def _taken(stage: Stage, balancer: Balancer, struck: float) -> float:
    mine = (e for e in stage.events if e.kind == "vip" and e.data.get("member") == str(balancer) and e.data.get("held"))
    return min((e.at for e in mine if e.at > struck), default=float("inf"))


def _sessions(
    stage: Stage, history: History, balancer: Balancer, since: float, until: float, *, only: str = ""
) -> tuple[int, int]:
    """(sessions that clients made through the VIP in that time, sessions that this haproxy logged for it).

    What is logged when a session ends may lag behind; sessions that die with haproxy itself are not logged by anybody.
    """
    way = f"{stage.vip.address}:5672"
    made = [c for c in history.connects if c.ok and c.peer == way and since < c.at < until - SLACK]
    count = sum(not only or c.role == only for c in made)
    begin, end = clock.utc(since) - timedelta(seconds=SLACK), clock.utc(until)

    def logged() -> int:
        return sum(begin <= accepted <= end for accepted in sessions_accepted(balancer, stage.started))

    try:
        return count, await_match(logged, lambda n: n >= count, what="sessions in haproxy's log", within=seconds(5))
    except BudgetSpent:
        return count, logged()
