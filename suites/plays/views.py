"""A broker dies and comes back, then haproxy dies on the VIP's holder: what everybody who looks on is told meanwhile.

The management API behind the VIP (V19), the statistics pages (V20), keepalived's notify log (V21), haproxy's log (V23) and
the spread of connections (V18) are asked at each point of the same two faults.
"""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plays.balancer_records import NOTIFY_LOG, Notice, logged_transitions, notices, seen_transitions
from plays.logged_sessions import Logged, logged, over_before, through
from plays.logins import Login, logged_in
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.cluster import Node
from pytest_rmqha.config.origin import SECONDS
from pytest_rmqha.errors import BudgetSpent, ToolFailed
from pytest_rmqha.faults import node as node_faults
from pytest_rmqha.faults.vip import haproxy_killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

DEALT = 24
FAIR = DEALT // 6  # half of a broker's fair share
BEFORE, DEAD, BACK, MOVED, AFTER = "before", "a broker is dead", "the broker is back", "haproxy is dead", "after"
TOLD_WITHIN = seconds(15)  # as long as V11 gives a balancer to mark a dead broker DOWN
LONGEST_RAMP = 90.0
_SLOWSTART = re.compile(r"\bslowstart\s+(\d+)(us|ms|s|m|h|d|)(?:\s|$)")
Transitions = dict[str, dict[str, tuple[str, ...]]]
Pages = dict[str, dict[str, frozenset[str]]]


@dataclass(frozen=True)
class Look:
    """One moment. ``login``: through the VIP, from the fault or the asking on.

    ``pages``: balancer -> broker -> states on its statistics page; ``serving``: broker -> do its ports answer? Both as they
    were at last, whether they agreed in time or not.
    """

    login: Login
    pages: Pages
    serving: dict[str, bool]


@dataclass(frozen=True)
class Seen:
    """``shares``: when -> Erlang node -> how many of ``DEALT`` new connections it got; ``lasting``: who has those that were
    opened before the kill, once the broker is back. ``taken_at``: when the new holder was first seen with the VIP, monotonic
    seconds. ``sessions``: balancer -> what its log has of those that clients made through it. ``ramp_is_longer``: why the
    spread after the return was looked at too early to be judged.
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
    sessions: dict[str, Logged]
    ramp_is_longer: str = ""


def a_broker_and_then_haproxy_die_while_everybody_looks_on(stage: Stage) -> Seen:
    keeper, victim, _ = stage.cluster.nodes
    workload = stage.workload(stage.mirrored("ha.load", home=keeper), stage.quorum("quorum.load", home=keeper))
    holder = stage.vip.holder()
    other = stage.vip.other(holder)
    ramp = slowstart(
        line for b in stage.balancers for file in stage.stack.config_files[b.service] for line in file.lines
    )
    looks: dict[str, Look] = {}
    shares: dict[str, dict[str, int]] = {}

    with workload.running():
        looks[BEFORE] = _look(stage, looks, stage.balancers, clock.now())
        shares[BEFORE] = _deal(stage, workload, BEFORE)
        with stage.chaos.inject(node_faults.killed(stage.cluster, victim)):
            looks[DEAD] = _look(stage, looks, stage.balancers, _last(stage, "fault.injected"))
        await_match(
            lambda: [str(node) for node in stage.cluster.nodes if not _serves(node)],
            lambda deaf: not deaf,
            what="both ports of every broker, which open one after the other",
            within=seconds(15),
        )
        looks[BACK] = _look(stage, looks, stage.balancers, clock.now())
        if 0 < ramp <= LONGEST_RAMP:
            _await_the_end_of(stage, ramp)
        shares[BACK] = _deal(stage, workload, BACK)
        lasting = _count(stage, BEFORE)
        undisturbed = clock.now()
        with stage.chaos.inject(haproxy_killed(holder, stage.vip)):
            injected = max((e for e in stage.events if e.kind == "fault.injected"), key=lambda e: e.at)
            struck, killed = injected.at, injected.at + float(str(injected.data["took"]))
            looks[MOVED] = _look(stage, looks, (other,), struck)
            stage.vip.await_holder(other, within=seconds(15))
            workload.await_progress(within=seconds(15))
        looks[AFTER] = _look(stage, looks, stage.balancers, clock.now())
        workload.await_progress(within=seconds(15))
    taken = _taken(stage, other, struck)
    quiet = tuple(e for e in stage.events if e.at < undisturbed)
    history, way = workload.history, f"{stage.vip.address}:5672"
    return Seen(
        history,
        str(victim),
        victim.name,
        frozenset(str(node.api.get("cluster-name")["name"]) for node in stage.cluster.nodes),
        str(holder),
        str(other),
        looks,
        shares,
        lasting,
        {str(b): _noticed(b, stage.started) for b in stage.balancers},
        taken,
        {str(b): seen_transitions(b, quiet) for b in stage.balancers},
        {str(b): logged_transitions(b, stage.started) for b in stage.balancers},
        {
            str(holder): logged(holder, over_before(history, way, undisturbed), stage.started),
            str(other): logged(other, [c for c in through(history, way) if c.at > killed], stage.started),
        },
        f"slowstart takes {ramp:g} s, the look ends after {LONGEST_RAMP:g}" if ramp > LONGEST_RAMP else "",
    )


def slowstart(lines: Iterable[str]) -> float:
    """The longest ramp, in seconds, over which haproxy gives a server that is back its weight; 0 where no line states one."""
    stated = (match for line in lines if (match := _SLOWSTART.search(line.split("#")[0])))
    return max((int(match[1]) * SECONDS[match[2]] for match in stated), default=0.0)


def _await_the_end_of(stage: Stage, ramp: float) -> None:
    until, weight = clock.now() + ramp, "the returned broker's full weight (slowstart)"
    with stage.timeline.waiting(weight):
        await_match(clock.now, lambda at: at >= until, what=weight, within=seconds(ramp + 5), every=0.5)


def _look(stage: Stage, before: dict[str, Look], balancers: Sequence[Balancer], since: float) -> Look:
    """Log in through the VIP, then see every page tell what the brokers do. What did not come true in time is told, too.

    Where nobody could log in before anything had happened, nobody tries again: the other ids of this play wait for it.
    """
    if BEFORE in before and not before[BEFORE].login.worked:
        return Look(before[BEFORE].login, *_pages(stage, balancers))
    return Look(logged_in(stage, since), *_pages(stage, balancers))


def _pages(stage: Stage, balancers: Sequence[Balancer]) -> tuple[Pages, dict[str, bool]]:
    def ask() -> tuple[Pages, dict[str, bool]]:
        serving = {str(node): _serves(node) for node in stage.cluster.nodes}
        return {str(b): {str(node): b.sees(node) for node in stage.cluster.nodes} for b in balancers}, serving

    try:
        return await_match(
            ask,
            lambda seen: all(page == told(seen[1]) for page in seen[0].values()),
            what="statistics pages that say of each broker what it does",
            within=TOLD_WITHIN,
        )
    except BudgetSpent:
        return ask()


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


def _noticed(balancer: Balancer, since: float) -> tuple[Notice, ...]:
    """Nothing where the configuration has no script that writes this log: the other ids of this play do without."""
    there = balancer.containers.exec(balancer.service, "test", "-e", NOTIFY_LOG).code == 0
    return notices(balancer, since) if there else ()


def _last(stage: Stage, kind: str) -> float:
    return max(e.at for e in stage.events if e.kind == kind)


def _taken(stage: Stage, balancer: Balancer, struck: float) -> float:
    mine = (e for e in stage.events if e.kind == "vip" and e.data.get("member") == str(balancer) and e.data.get("held"))
    return min((e.at for e in mine if e.at > struck), default=float("inf"))
