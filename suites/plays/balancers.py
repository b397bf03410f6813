"""Faults of the balancer that holds the VIP, and a frozen broker behind both of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plays.placing import someone_on
from plays.quick_heartbeats import load_with_quick_heartbeats
from plays.two_holders import TwoHolders, two_balancers_hold_the_vip
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.checkers.vip import interruptions, stretches
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, NoVerdict, ToolFailed
from pytest_rmqha.faults import node as node_faults
from pytest_rmqha.faults import vip as vip_faults
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.timeline import Event
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

AMQP = 5672
TAKEN_WITHIN = seconds(15)
DOWN_WITHIN = seconds(15)
MOVED_WITHIN = seconds(2)
PATIENT = 60.0
"""Seconds; longer than the freeze: who moves was moved by a balancer, and did not give up by itself."""


@dataclass(frozen=True)
class Failover:
    """``moved_after``: seconds from the fault until the other balancer alone held the VIP."""

    history: History
    moved_after: float
    interruptions: int
    events: tuple[Event, ...]
    window: tuple[float, float]


@dataclass(frozen=True)
class Frozen:
    """balancer -> seconds from the freeze until it had every AMQP server of the broker DOWN; infinite if it had not in time.

    Servers of its other ports (management) may have a check of their own, or a weaker one: ``elsewhere`` tells their states.
    ``moved``: clients of the frozen broker that were connected elsewhere ``MOVED_WITHIN`` after that.
    """

    history: History
    victim: str
    down_after: dict[str, float]
    elsewhere: dict[str, frozenset[str]]
    clients_on_victim: tuple[str, ...]
    moved: tuple[str, ...]


def keepalived_is_stopped_on_the_holder(stage: Stage) -> Failover:
    return _failover(stage, vip_faults.keepalived_stopped, load_with_quick_heartbeats(stage))


def the_holders_host_is_killed(stage: Stage) -> Failover:
    return _failover(stage, vip_faults.killed, _load(stage))


def haproxy_is_killed_on_the_holder(stage: Stage) -> Failover:
    return _failover(stage, vip_faults.haproxy_killed, _load(stage))


def the_balancers_no_longer_hear_each_other(stage: Stage) -> TwoHolders:
    return two_balancers_hold_the_vip(stage, load_with_quick_heartbeats(stage), vip_faults.vrrp_dropped)


def a_broker_is_frozen(stage: Stage) -> Frozen:
    keeper, _, victim = stage.cluster.nodes
    workload = stage.workload(stage.mirrored("ha.load", home=keeper), stage.quorum("quorum.load", home=keeper))
    amqp = {balancer: amqp_servers(balancer, victim) for balancer in stage.balancers}

    with workload.running():
        on_victim = someone_on(victim, "ha.load", workload, stage.cluster, patience=PATIENT)
        with stage.chaos.inject(node_faults.frozen(stage.cluster, victim)):
            frozen_at = next(e.at for e in stage.events if e.kind == "fault.injected")
            down = _when_down(amqp, frozen_at)
            elsewhere = {str(b): _states(b, b.servers_of(victim) - amqp[b]) for b in stage.balancers}
            moved = _moved(stage, on_victim, frozen_at)
    return Frozen(workload.history, str(victim), down, elsewhere, on_victim, moved)


def amqp_servers(balancer: Balancer, broker: Node) -> frozenset[str]:
    """ "backend/server" of the broker's AMQP port in any backend; of all its ports where none is that one."""
    found = balancer.servers_of(broker, AMQP) or balancer.servers_of(broker)
    if not found:
        raise NoVerdict(f"no server of {balancer} is at {broker.address}: whether it is marked DOWN can't be seen")
    return found


def _states(balancer: Balancer, servers: frozenset[str]) -> frozenset[str]:
    states = balancer.backends()
    return frozenset(states.get(server, "gone") for server in servers)


def _when_down(servers: Mapping[Balancer, frozenset[str]], since: float) -> dict[str, float]:
    down: dict[str, float] = {}

    def ask() -> dict[str, float]:
        for balancer, mine in servers.items():
            if _states(balancer, mine) == {"DOWN"}:
                down.setdefault(str(balancer), clock.now() - since)
        return down

    with contextlib.suppress(BudgetSpent):
        await_match(
            ask,
            lambda seen: len(seen) == len(servers),
            what="a frozen broker DOWN on every balancer",
            within=DOWN_WITHIN,
            every=0.1,
            ignore=(ToolFailed,),
        )
    return {str(balancer): down.get(str(balancer), math.inf) for balancer in servers}


def _moved(stage: Stage, clients: tuple[str, ...], since: float) -> tuple[str, ...]:
    def ask() -> tuple[str, ...]:
        new = (e.subject for e in stage.events if e.kind == "client" and e.text == "connected" and e.at > since)
        return tuple(sorted(set(new) & set(clients)))

    try:
        return await_match(
            ask,
            lambda names: len(names) == len(clients),
            what=f"clients of the frozen broker ({', '.join(clients)}) connected elsewhere",
            within=MOVED_WITHIN,
            every=0.05,
        )
    except BudgetSpent:
        return ask()


def _load(stage: Stage) -> Workload:
    first, second, _ = stage.cluster.nodes
    return stage.workload(stage.mirrored("ha.load", home=first), stage.quorum("quorum.load", home=second))


def taken_over(stage: Stage, heir: Balancer) -> bool:
    """Wait until ``heir`` alone holds the VIP. How long it took is on the timeline, and never is a value, too."""
    try:
        stage.vip.await_holder(heir, within=TAKEN_WITHIN)
    except InvariantNotUpheld:
        return False
    return True


def _failover(stage: Stage, strike: Callable[[Balancer, Vip], Fault], workload: Workload) -> Failover:
    holder = stage.vip.holder()
    other = stage.vip.other(holder)

    with workload.running():
        with stage.chaos.inject(strike(holder, stage.vip)):
            if taken_over(stage, other):
                workload.await_progress(within=seconds(15))
        workload.await_progress(within=seconds(15))
    window = (stage.started, clock.now())
    struck = next(e.at for e in stage.events if e.kind == "fault.injected")
    everything = tuple(stage.timeline.events)
    mine = (e for e in stage.events if e.kind == "vip" and e.data.get("member") == str(other))
    taken = min((e.at for e in mine if e.at > struck and e.data.get("held")), default=float("inf"))
    moves = interruptions(stretches(everything, stage.vip.address, window))
    return Failover(workload.history, taken - struck, moves, everything, window)
