"""Each fault, measured at the affected peer before, during and after it, on the real stack (``make live``).

The measurement is never the fault's own ``in_effect``: it asks the victim over the network, as its clients do.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults import cluster as whole
from pytest_rmqha.faults import network, node, vip
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds

AMQP_HEADER = b"AMQP\x00\x00\x09\x01"


def speaks_amqp(address: str, timeout: float = 2.0) -> bool:
    """Does whoever listens there answer the protocol header?"""
    try:
        with socket.create_connection((address, 5672), timeout=timeout) as wire:
            wire.settimeout(timeout)
            wire.sendall(AMQP_HEADER)
            return wire.recv(1) == b"\x01"
    except OSError:
        return False


def round_trip(stage: Stage, a: Node, b: Node) -> float:
    """Seconds for epmd's answer over the link from a to b; infinite without one."""
    link = next(x for x in stage.links.all if (x.source, x.target) == (a, b))
    start = time.monotonic()
    return time.monotonic() - start if network.epmd_answers(link, timeout=3) else float("inf")


def page_answers(stage: Stage, number: int) -> bool:
    try:
        return bool(stage.balancers[number].backends())
    except HarnessError:
        return False


@dataclass(frozen=True)
class Case:
    """``measure`` is True while the victim is well. ``after`` waits for it to be so again (a boot takes its time)."""

    fault: Callable[[Stage], Fault]
    measure: Callable[[Stage], bool]


def amqp_of(number: int) -> Callable[[Stage], bool]:
    return lambda s: speaks_amqp(s.cluster.nodes[number].address)


def link_of(a: int, b: int, at_most: float = 0.1) -> Callable[[Stage], bool]:
    return lambda s: round_trip(s, s.cluster.nodes[a], s.cluster.nodes[b]) < at_most


def other(s: Stage) -> Any:
    return s.vip.other(s.vip.holder())


CASES = {
    "killed": Case(lambda s: node.killed(s.cluster, s.cluster.nodes[2]), amqp_of(2)),
    "stopped": Case(lambda s: node.stopped(s.cluster, s.cluster.nodes[2]), amqp_of(2)),
    "app_stopped": Case(lambda s: node.app_stopped(s.cluster, s.cluster.nodes[2]), amqp_of(2)),
    "frozen": Case(lambda s: node.frozen(s.cluster, s.cluster.nodes[2]), amqp_of(2)),
    "restarted": Case(lambda s: node.restarted(s.cluster, s.cluster.nodes[2]), amqp_of(2)),
    "isolated cleanly": Case(lambda s: network.isolated(s.cluster, s.links, s.cluster.nodes[2]), link_of(0, 2)),
    "isolated silently": Case(
        lambda s: network.isolated(s.cluster, s.links, s.cluster.nodes[2], silently=True), link_of(2, 1)
    ),
    "pair cut": Case(
        lambda s: network.pair_cut(s.cluster, s.links, s.cluster.nodes[0], s.cluster.nodes[1]), link_of(0, 1)
    ),
    "one way": Case(
        lambda s: network.one_way_cut(s.cluster, s.links, s.cluster.nodes[0], s.cluster.nodes[1]), link_of(0, 1)
    ),
    "latency": Case(
        lambda s: network.slowed(s.cluster, s.links.between(s.cluster.nodes[0], s.cluster.nodes[1]), milliseconds=200),
        link_of(0, 1),
    ),
    "rate": Case(
        lambda s: network.narrowed(
            s.cluster, s.links.between(s.cluster.nodes[0], s.cluster.nodes[1]), kilobytes_per_second=1
        ),
        link_of(0, 1, at_most=0.02),
    ),
    "unplugged": Case(
        lambda s: network.unplugged(
            other(s).service, other(s).filter, gone=lambda: page_answers(s, 0) and page_answers(s, 1)
        ),
        lambda s: page_answers(s, 0) and page_answers(s, 1),
    ),
    "balancer killed": Case(lambda s: vip.killed(s.balancers[0], s.vip), lambda s: page_answers(s, 0)),
    "haproxy killed": Case(lambda s: vip.haproxy_killed(s.balancers[1], s.vip), lambda s: page_answers(s, 1)),
    "haproxy frozen": Case(lambda s: vip.haproxy_frozen(s.balancers[0], s.vip), lambda s: page_answers(s, 0)),
    "whole cluster stopped": Case(
        lambda s: whole.stopped_whole(s.cluster, stop=s.cluster.nodes, start=s.cluster.nodes[::-1]),
        lambda s: any(speaks_amqp(n.address) for n in s.cluster.nodes),
    ),
    "everything killed": Case(
        lambda s: whole.killed_whole(s.cluster), lambda s: any(speaks_amqp(n.address) for n in s.cluster.nodes)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_felt_by_the_affected_peer_and_gone_after_its_heal(rmq_stage: Stage, name: str) -> None:
    case = CASES[name]
    assert case.measure(rmq_stage), "the victim was not well before the fault"

    with rmq_stage.chaos.inject(case.fault(rmq_stage)):
        during = case.measure(rmq_stage)

    await_match(lambda: case.measure(rmq_stage), bool, what="the victim well again", within=seconds(15))
    assert not during, "the affected peer felt nothing"


def test_dropped_vrrp_makes_two_holders_and_one_again(rmq_stage: Stage) -> None:
    assert len(rmq_stage.vip.holders()) == 1

    with rmq_stage.chaos.inject(vip.vrrp_dropped(rmq_stage.vip.holder(), rmq_stage.vip)):
        rmq_stage.vip.await_holders(2, within=seconds(10))

    rmq_stage.vip.await_holders(1, within=seconds(10))


def test_a_stopped_keepalived_gives_the_vip_away_and_takes_it_again_once_it_is_healed(rmq_stage: Stage) -> None:
    first = rmq_stage.vip.holder()
    second = rmq_stage.vip.other(first)

    for struck, heir in ((first, second), (second, first)):
        with rmq_stage.chaos.inject(vip.keepalived_stopped(struck, rmq_stage.vip)):
            rmq_stage.vip.await_holder(heir, within=seconds(10))


def test_a_killed_keepalived_leaves_two_holders_until_it_is_healed(rmq_stage: Stage) -> None:
    assert len(rmq_stage.vip.holders()) == 1

    with rmq_stage.chaos.inject(vip.keepalived_killed(rmq_stage.vip.holder(), rmq_stage.vip)):
        rmq_stage.vip.await_holders(2, within=seconds(10))

    rmq_stage.vip.await_holders(1, within=seconds(10))


CLEAN_CUTS: dict[str, Callable[[Stage], Fault]] = {
    "isolated": lambda s: network.isolated(s.cluster, s.links, s.cluster.nodes[2]),
    "pair cut": lambda s: network.pair_cut(s.cluster, s.links, s.cluster.nodes[0], s.cluster.nodes[1]),
}


@pytest.mark.parametrize("name", CLEAN_CUTS)
def test_every_end_of_a_cleanly_cut_link_notices_at_one_moment(rmq_stage: Stage, name: str) -> None:
    fault = CLEAN_CUTS[name](rmq_stage)
    pairs = {"isolated": {(0, 2), (2, 0), (1, 2), (2, 1)}, "pair cut": {(0, 1), (1, 0)}}[name]
    nodes = rmq_stage.cluster.nodes
    ends = {f"{nodes[a].service}/{nodes[b].name}" for a, b in pairs}

    with rmq_stage.chaos.inject(fault):
        time.sleep(2)
    began = next(e.at for e in rmq_stage.events if e.kind == "fault.injected")

    rmq_stage.stack.note_changes(began, rmq_stage.cluster.vhost)
    noticed: dict[str, float] = {}
    for event in rmq_stage.events:
        if event.kind == "peer" and event.data["state"] == "down" and event.at >= began and event.subject in ends:
            noticed.setdefault(event.subject, event.at - began)
    assert noticed.keys() == ends
    assert max(noticed.values()) - min(noticed.values()) < 0.3, noticed
