"""Faults of the balancer that holds the VIP, and a frozen broker behind both of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from plays.placing import someone_on
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.checkers.vip import interruptions, stretches
from pytest_rmqha.errors import InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults import node as node_faults
from pytest_rmqha.faults import vip as vip_faults
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.timeline import Event
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload


@dataclass(frozen=True)
class Failover:
    """``moved_after``: seconds from the fault until the other balancer alone held the VIP."""

    history: History
    moved_after: float
    interruptions: int
    events: tuple[Event, ...]
    window: tuple[float, float]


@dataclass(frozen=True)
class TwoHolders:
    history: History
    holders_during: int
    holders_after: int
    neighbour_is_holder: bool


@dataclass(frozen=True)
class Frozen:
    """balancer -> seconds from the freeze until it had the broker DOWN."""

    history: History
    down_after: dict[str, float]
    clients_on_victim: tuple[str, ...]
    moved: tuple[str, ...]


def keepalived_is_stopped_on_the_holder(stage: Stage) -> Failover:
    return _failover(stage, vip_faults.keepalived_stopped)


def the_holders_host_is_killed(stage: Stage) -> Failover:
    return _failover(stage, vip_faults.killed)


def haproxy_is_killed_on_the_holder(stage: Stage) -> Failover:
    return _failover(stage, vip_faults.haproxy_killed)


def the_balancers_no_longer_hear_each_other(stage: Stage) -> TwoHolders:
    holder = stage.vip.holder()
    workload = _load(stage)

    with workload.running():
        with stage.chaos.inject(vip_faults.vrrp_dropped(holder, stage.vip)):
            during = stage.vip.await_holders(2, within=seconds(10))
        after = stage.vip.await_holders(1, within=seconds(10))
        workload.await_progress(within=seconds(15))
        neighbour = _neighbour_is(stage, after[0])
    return TwoHolders(workload.history, len(during), len(after), neighbour)


def a_broker_is_frozen(stage: Stage) -> Frozen:
    keeper, _, victim = stage.cluster.nodes
    workload = stage.workload(stage.mirrored("ha.load", home=keeper), stage.quorum("quorum.load", home=keeper))
    down: dict[str, float] = {}

    with workload.running():
        on_victim = someone_on(victim, "ha.load", workload, stage.cluster)
        with stage.chaos.inject(node_faults.frozen(stage.cluster, victim)):
            frozen_at = next(e.at for e in stage.events if e.kind == "fault.injected")

            def ask() -> dict[str, float]:
                for balancer in stage.balancers:
                    if "DOWN" in balancer.sees(str(victim)):
                        down.setdefault(str(balancer), clock.now() - frozen_at)
                return down

            def moved() -> set[str]:
                return {
                    e.subject
                    for e in stage.events
                    if e.kind == "client" and e.text == "connected" and e.at > frozen_at and e.subject in on_victim
                }

            await_match(
                ask,
                lambda seen: len(seen) == len(stage.balancers),
                what=f"{victim} DOWN on every balancer",
                within=seconds(15),
                every=0.1,
                error=InvariantNotUpheld,
                ignore=(ToolFailed,),
            )
            await_match(
                moved,
                lambda names: names == set(on_victim),
                what=f"clients of the frozen {victim} ({', '.join(on_victim)}) connected elsewhere",
                within=seconds(2),
                every=0.05,
                error=InvariantNotUpheld,
            )
            moved_away = tuple(sorted(moved()))
    return Frozen(workload.history, down, on_victim, moved_away)


def _load(stage: Stage) -> Workload:
    first, second, _ = stage.cluster.nodes
    return stage.workload(stage.mirrored("ha.load", home=first), stage.quorum("quorum.load", home=second))


def _failover(stage: Stage, strike: Callable[[Balancer, Vip], Fault]) -> Failover:
    holder = stage.vip.holder()
    other = stage.vip.other(holder)
    workload = _load(stage)

    with workload.running():
        with stage.chaos.inject(strike(holder, stage.vip)):
            stage.vip.await_holder(other, within=seconds(15))
            workload.await_progress(within=seconds(15))
        workload.await_progress(within=seconds(15))
    window = (stage.started, clock.now())
    struck = next(e.at for e in stage.events if e.kind == "fault.injected")
    everything = tuple(stage.timeline.events)
    mine = (e for e in stage.events if e.kind == "vip" and e.data.get("member") == str(other))
    taken = min((e.at for e in mine if e.at > struck and e.data.get("held")), default=float("inf"))
    moves = interruptions(stretches(everything, stage.vip.address, window))
    return Failover(workload.history, taken - struck, moves, everything, window)


def _neighbour_is(stage: Stage, holder: Balancer) -> bool:
    """Does the load client's own ARP cache name the holder's hardware address for the VIP?"""
    link = holder.containers.must(holder.service, "cat", "/sys/class/net/eth0/address").strip()

    def cached() -> str:
        return holder.containers.exec("rmqha-client", "ip", "neigh", "show", stage.vip.address).out

    return link in await_match(
        cached,
        lambda text: link in text,
        what=f"{stage.vip.address} at {link} in the client's ARP cache",
        within=seconds(15),
        every=0.5,
    )
