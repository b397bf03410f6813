"""Each fault on a stack of dictionaries: when it is in effect, when it is gone, and that healing can be said twice."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, ToolFailed
from pytest_rmqha.faults import Fault, cluster, network, node, vip
from tests.unit.fakes import Hands, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def victim(world: World) -> Node:
    return world.nodes[0]


# one broker


OF_ONE_BROKER = [node.killed, node.stopped, node.restarted, node.frozen, node.app_stopped]


@pytest.mark.parametrize("fault_of", OF_ONE_BROKER)
def test_a_healthy_broker_has_no_fault(world: World, victim: Node, fault_of: Callable[..., Fault]) -> None:
    fault = fault_of(world.cluster, victim)

    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert fault.targets == ("rmq1",)


@pytest.mark.parametrize("fault_of", OF_ONE_BROKER)
def test_healing_what_was_never_injected_touches_nothing(
    world: World, victim: Node, fault_of: Callable[..., Fault]
) -> None:
    fault_of(world.cluster, victim).heal()

    assert world.containers.done == []


@pytest.mark.parametrize(
    ("fault_of", "injects", "heals"),
    [
        (node.killed, "kill rmq1", "start rmq1"),
        (node.stopped, "stop rmq1", "start rmq1"),
        (node.restarted, "stop rmq1", "start rmq1"),
        (node.frozen, "pause rmq1", "unpause rmq1"),
        (node.app_stopped, "rmq1: rabbitmqctl stop_app", "rmq1: rabbitmqctl start_app"),
    ],
)
def test_what_is_done_to_a_broker_is_undone_once(
    world: World, victim: Node, fault_of: Callable[..., Fault], injects: str, heals: str
) -> None:
    fault = fault_of(world.cluster, victim)

    fault.inject()
    world.loses(victim)
    assert (fault.in_effect(), fault.is_gone()) == (True, False)

    fault.heal()
    world.finds(victim)
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert world.containers.done == [injects, heals]


@pytest.mark.parametrize("fault_of", [node.killed, node.stopped])
def test_a_death_that_no_survivor_has_noticed_is_not_in_effect(
    world: World, victim: Node, fault_of: Callable[..., Fault]
) -> None:
    world.containers.states["rmq1"] = "exited"
    world.apis[0].mute = True

    assert not fault_of(world.cluster, victim).in_effect()


@pytest.mark.parametrize("fault_of", [node.killed, node.stopped])
def test_a_death_that_nobody_can_confirm_is_not_in_effect(
    world: World, victim: Node, fault_of: Callable[..., Fault]
) -> None:
    world.containers.states["rmq1"] = "exited"
    for api in world.apis:
        api.mute = True

    assert not fault_of(world.cluster, victim).in_effect()


@pytest.mark.parametrize("fault_of", [node.killed, node.stopped, node.app_stopped, node.frozen])
def test_a_broker_that_is_alone_has_no_survivor_to_ask(fault_of: Callable[..., Fault]) -> None:
    world = World(size=1)
    fault = fault_of(world.cluster, world.nodes[0])

    fault.inject()
    world.loses(world.nodes[0])

    assert (fault.in_effect(), fault.is_gone()) == (True, False)


def test_a_broker_whose_container_runs_is_not_dead(world: World, victim: Node) -> None:
    world.loses(victim)

    assert not node.killed(world.cluster, victim).in_effect()


@pytest.mark.parametrize("state", ["running", "exited"])
def test_frozen_is_paused_and_mute(world: World, victim: Node, state: str) -> None:
    fault = node.frozen(world.cluster, victim)

    world.containers.states["rmq1"], world.apis[0].mute = state, True
    assert not fault.in_effect()
    world.containers.states["rmq1"], world.apis[0].mute = "paused", False
    assert not fault.in_effect()
    world.apis[0].mute = True
    assert fault.in_effect()


def test_a_stopped_app_leaves_its_container_running(world: World, victim: Node) -> None:
    fault = node.app_stopped(world.cluster, victim)

    world.loses(victim)
    assert fault.in_effect()
    world.containers.states["rmq1"] = "exited"
    assert not fault.in_effect()


def test_a_broker_is_back_when_each_sees_each(world: World, victim: Node) -> None:
    fault = node.killed(world.cluster, victim)

    for at, peer in itertools.product(range(3), world.names):
        world.apis[at].seen[peer]["running"] = False
        assert not fault.is_gone()
        world.apis[at].seen[peer]["running"] = True
    assert fault.is_gone()


def test_a_broker_that_does_not_answer_yet_is_not_back(world: World, victim: Node) -> None:
    world.apis[0].mute = True

    assert not node.killed(world.cluster, victim).is_gone()


# the whole cluster


def test_the_cluster_is_stopped_in_one_order_and_started_in_another(world: World) -> None:
    a, b, c = world.nodes
    fault = cluster.stopped_whole(world.cluster, stop=[a, b, c], start=[c, a, b])
    assert (fault.in_effect(), fault.is_gone()) == (False, True)

    fault.inject()
    assert fault.in_effect()

    fault.heal()
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert world.containers.done == [f"stop rmq{n}" for n in (1, 2, 3)] + [f"start rmq{n}" for n in (3, 1, 2)]
    assert fault.title == "whole cluster stopped in the order 123 started 312"


def test_the_next_broker_is_not_stopped_before_the_last_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Hands(stride=5).hold(monkeypatch, "faults.cluster")
    monkeypatch.setattr(world.containers, "state", lambda _service: "running")
    fault = cluster.stopped_whole(world.cluster, stop=world.nodes, start=world.nodes)

    with pytest.raises(BudgetSpent, match="rmq1 stopped"):
        fault.inject()
    assert world.containers.done == ["stop rmq1"]


def test_the_whole_cluster_is_killed_and_only_the_dead_are_started(world: World) -> None:
    fault = cluster.killed_whole(world.cluster)
    fault.heal()
    assert world.containers.done == []

    fault.inject()
    assert fault.in_effect()
    world.containers.start("rmq2")
    assert not fault.in_effect()

    fault.heal()
    assert sorted(world.containers.done) == sorted(
        [*(f"kill rmq{n}" for n in (1, 2, 3)), *(f"start rmq{n}" for n in (1, 2, 3))]
    )


def test_the_cluster_is_not_back_while_one_is_mute_or_alone(world: World) -> None:
    fault = cluster.killed_whole(world.cluster)
    assert fault.is_gone()

    world.apis[2].mute = True
    assert not fault.is_gone()
    world.apis[2].mute = False
    world.apis[2].seen[world.names[0]]["running"] = False
    assert not fault.is_gone()


# links


@contextlib.contextmanager
def epmd(*parts: bytes, hang: bool = False) -> Iterator[str]:
    """One answer on loopback, in parts that arrive one by one; ``hang`` keeps the connection open and says no more."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                wire, _ = server.accept()
                with wire:
                    assert wire.recv(16) == network.EPMD_NAMES_REQUEST
                    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for part in parts:
                        wire.sendall(part)
                        over.wait(0.005)
                    if hang:
                        over.wait(5)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join(2)


NAMES = b"name rabbit at port 25672\n"
PORT = b"\x00\x00\x11\x11"


@pytest.mark.parametrize("parts", [(PORT + NAMES,), (PORT, NAMES), (PORT + NAMES[:8], NAMES[8:])])
def test_a_peers_epmd_answers_through_the_proxy(world: World, parts: tuple[bytes, ...]) -> None:
    link = world.links.all[0]
    with epmd(*parts) as address:
        world.proxies.listen[link.proxies[0]] = address
        assert network.epmd_answers(link, timeout=1)


@pytest.mark.parametrize("parts", [(), (PORT,), (PORT, b"name other at port 1\n")])
def test_an_epmd_that_does_not_know_the_broker_is_no_answer(world: World, parts: tuple[bytes, ...]) -> None:
    link = world.links.all[0]
    with epmd(*parts) as address:
        world.proxies.listen[link.proxies[0]] = address
        assert not network.epmd_answers(link, timeout=1)


def test_a_wire_that_swallows_is_no_answer(world: World) -> None:
    link = world.links.all[0]
    with epmd(hang=True) as address:
        world.proxies.listen[link.proxies[0]] = address
        assert not network.epmd_answers(link, timeout=0.03)


def test_a_port_that_refuses_is_no_answer(world: World) -> None:
    link = world.links.all[0]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        world.proxies.listen[link.proxies[0]] = f"127.0.0.1:{unused.getsockname()[1]}"
        assert not network.epmd_answers(link)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link's epmd answers unless the proxies say that it is cut."""
    monkeypatch.setattr(network, "epmd_answers", lambda link, timeout=1.0: link.is_clear())


CUTS: list[Callable[[World], Fault]] = [
    lambda w: network.isolated(w.cluster, w.links, w.nodes[0]),
    lambda w: network.isolated(w.cluster, w.links, w.nodes[0], silently=True),
    lambda w: network.pair_cut(w.cluster, w.links, w.nodes[0], w.nodes[1]),
    lambda w: network.pair_cut(w.cluster, w.links, w.nodes[0], w.nodes[1], silently=True),
    lambda w: network.one_way_cut(w.cluster, w.links, w.nodes[0], w.nodes[1]),
]


@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize(("cut", "links"), list(zip(CUTS, (4, 4, 2, 2, 2), strict=True)))
def test_a_cut_is_in_effect_on_all_its_links_and_gone_when_all_are_clear(
    world: World, cut: Callable[[World], Fault], links: int
) -> None:
    fault = cut(world)
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)

    fault.inject()
    assert (fault.in_effect(), fault.is_gone()) == (True, False)
    assert len(world.links.problems()) == links

    fault.heal()
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)


@pytest.mark.usefixtures("answering")
def test_a_cut_with_a_hole_is_not_in_effect(world: World) -> None:
    fault = network.isolated(world.cluster, world.links, world.nodes[0])

    fault.inject()
    world.links.around(world.nodes[0])[-1].open()

    assert not fault.in_effect()


def test_a_cut_is_not_gone_while_a_broker_still_sees_it(world: World) -> None:
    fault = network.isolated(world.cluster, world.links, world.nodes[0])

    world.apis[2].seen[world.names[1]]["partitions"] = [world.names[0]]
    assert not fault.is_gone()
    world.apis[2].seen[world.names[1]]["partitions"] = []
    assert fault.is_gone()
    world.apis[1].seen[world.names[0]]["running"] = False
    assert not fault.is_gone()
    world.apis[1].mute = True
    assert not fault.is_gone()


def test_the_titles_say_who_and_how(world: World) -> None:
    assert [cut(world).title for cut in CUTS] == [
        "rmq1 cleanly cut off from its peers",
        "rmq1 silently cut off from its peers",
        "link rmq1–rmq2 cleanly cut",
        "link rmq1–rmq2 silently cut",
        "rmq1 no longer heard by rmq2",
    ]


@pytest.mark.parametrize(
    ("took", "slow"), [([0.2, 0.2], True), ([0.2, 0.17], False), ([0.2, None], False), ([None, None], False)]
)
def test_slowed_is_a_slow_round_trip_through_each_link(
    world: World, monkeypatch: pytest.MonkeyPatch, took: list[float | None], slow: bool
) -> None:
    links = world.links.between(*world.nodes[:2])
    trips = dict(zip(links, took, strict=True))
    monkeypatch.setattr(network, "_round_trip", lambda link: trips[link])

    assert network.slowed(world.cluster, links, milliseconds=100).in_effect() is slow


@pytest.mark.parametrize("fault_of", ["slowed", "narrowed"])
def test_latency_and_rate_are_taken_off_again(world: World, fault_of: str) -> None:
    links = world.links.between(*world.nodes[:2])
    fault = (
        network.slowed(world.cluster, links, milliseconds=100)
        if fault_of == "slowed"
        else network.narrowed(world.cluster, links, kilobytes_per_second=64)
    )
    fault.heal()
    assert fault.is_gone()

    fault.inject()
    assert not fault.is_gone()
    fault.heal()
    fault.heal()
    assert fault.is_gone()


def test_narrowed_is_seen_on_each_proxy(world: World) -> None:
    links = world.links.between(*world.nodes[:2])
    fault = network.narrowed(world.cluster, links, kilobytes_per_second=64)
    assert not fault.in_effect()

    fault.inject()
    assert fault.in_effect()
    world.proxies.remove_toxic(links[1].proxies[1], "rmqha-rate-upstream")
    assert not fault.in_effect()


# drops


@pytest.mark.parametrize(
    ("rules", "packets", "whole", "in_effect", "is_gone"),
    [
        (False, 0, True, False, True),
        (False, 0, False, False, False),
        (True, 0, True, False, False),
        (True, 5, True, True, False),
        (True, 5, False, True, False),
    ],
)
def test_drops_are_in_effect_once_they_drop_and_gone_once_all_is_whole(
    world: World, rules: bool, packets: int, whole: bool, in_effect: bool, is_gone: bool
) -> None:
    drops = world.filters["lb1"]
    fault = network.unplugged("lb1", drops, gone=lambda: whole)
    if rules:
        fault.inject()
    drops.packets = packets

    assert (fault.in_effect(), fault.is_gone()) == (in_effect, is_gone)


def test_unplugged_spares_loopback_and_can_be_healed_twice(world: World) -> None:
    drops = world.filters["lb1"]
    fault = network.unplugged("lb1", drops, gone=lambda: True)
    fault.heal()

    fault.inject()
    assert drops.rules == (("input", 'iifname != "lo"'), ("output", 'oifname != "lo"'))
    fault.heal()
    fault.heal()
    assert fault.is_gone()


# balancers


OF_A_BALANCER = [
    vip.killed,
    vip.haproxy_killed,
    vip.haproxy_frozen,
    vip.keepalived_stopped,
    vip.keepalived_killed,
    vip.vrrp_dropped,
    vip.vrrp_deaf,
]


@pytest.mark.parametrize("fault_of", OF_A_BALANCER)
def test_a_healthy_balancer_has_no_fault_and_a_heal_restarts_nothing(
    world: World, fault_of: Callable[..., Fault]
) -> None:
    fault = fault_of(world.balancers[0], world.vip)
    fault.heal()

    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert [done for done in world.containers.done if "CONT" not in done] == []
    assert fault.targets == ("lb1",)


def test_a_killed_balancer_is_dead_and_mute_and_started_once(world: World) -> None:
    fault = vip.killed(world.balancers[0], world.vip)

    fault.inject()
    assert not fault.in_effect(), "its page still answers"
    world.pages["lb1"].servers = None
    assert (fault.in_effect(), fault.is_gone()) == (True, False)

    fault.heal()
    fault.heal()
    world.pages["lb1"].servers = {"amqp/rmq1": "UP"}
    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    assert world.containers.done == ["kill lb1", "start lb1"]


@pytest.mark.parametrize(
    ("fault_of", "program", "signal", "heal"),
    [
        (vip.haproxy_killed, "haproxy", "KILL", "pkill -USR1 -f ^/bin/sh /usr/local/bin/start-balancer"),
        (vip.haproxy_frozen, "haproxy", "STOP", "pkill -CONT -x haproxy"),
        (vip.keepalived_stopped, "keepalived", "TERM", "pkill -USR2 -f ^/bin/sh /usr/local/bin/start-balancer"),
        (vip.keepalived_killed, "keepalived", "KILL", "pkill -USR2 -f ^/bin/sh /usr/local/bin/start-balancer"),
    ],
)
def test_one_program_of_a_balancer_is_hit_and_booted(
    world: World, fault_of: Callable[..., Fault], program: str, signal: str, heal: str
) -> None:
    fault = fault_of(world.balancers[0], world.vip)

    fault.inject()
    assert not fault.in_effect()
    world.stopped.add(("lb1", program))
    if program == "haproxy":
        assert not fault.in_effect(), "its page still answers"
        world.pages["lb1"].servers = None
    assert (fault.in_effect(), fault.is_gone()) == (True, False)

    fault.heal()
    assert world.containers.done == [f"lb1: pkill -{signal} -x {program}", f"lb1: {heal}"]
    world.stopped.clear()
    world.pages["lb1"].servers = {"amqp/rmq1": "UP"}
    assert (fault.in_effect(), fault.is_gone()) == (False, True)


@pytest.mark.parametrize(
    ("fault_of", "rules"),
    [
        (vip.vrrp_dropped, (("input", "meta l4proto 112"), ("output", "meta l4proto 112"))),
        (vip.vrrp_deaf, (("input", "meta l4proto 112"),)),
    ],
)
def test_vrrp_is_dropped_at_one_balancer(
    world: World, fault_of: Callable[..., Fault], rules: tuple[tuple[str, str], ...]
) -> None:
    fault = fault_of(world.balancers[0], world.vip)

    fault.inject()
    assert not fault.in_effect()
    world.filters["lb1"].packets = 1
    assert fault.in_effect()
    assert world.filters["lb1"].rules == rules

    fault.heal()
    fault.heal()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)


@pytest.mark.parametrize(
    ("servers", "keepalived", "holders", "whole"),
    [
        ({"amqp/rmq1": "UP"}, True, ["lb2"], True),
        ({"amqp/rmq1": "UP", "amqp/rmq2": "DOWN"}, True, ["lb1"], False),
        ({}, True, ["lb1"], False),
        (None, True, ["lb1"], False),
        ({"amqp/rmq1": "UP"}, False, ["lb1"], False),
        ({"amqp/rmq1": "UP"}, True, [], False),
        ({"amqp/rmq1": "UP"}, True, ["lb1", "lb2"], False),
    ],
)
def test_a_balancers_fault_is_gone_when_it_serves_and_one_holds_the_address(
    world: World, servers: dict[str, str] | None, keepalived: bool, holders: list[str], whole: bool
) -> None:
    world.pages["lb1"].servers = servers
    world.holders[:] = holders
    if not keepalived:
        world.stopped.add(("lb1", "keepalived"))

    for fault_of in OF_A_BALANCER:
        assert fault_of(world.balancers[0], world.vip).is_gone() is whole


def test_an_engine_that_fails_is_not_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_service: str) -> str:
        raise ToolFailed("no engine")

    monkeypatch.setattr(world.containers, "state", fail)

    assert not vip.killed(world.balancers[0], world.vip).is_gone()
    assert not node.killed(world.cluster, world.nodes[0]).is_gone()
