"""Faults of links and of packets on a stack of dictionaries: how a cut is seen, when it is gone, and that healing can be said twice."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.faults import Fault, network
from tests.unit.fakes import World


@pytest.fixture
def world() -> World:
    return World()


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


@pytest.mark.parametrize(
    "parts",
    [
        (PORT + NAMES,),
        (PORT, NAMES),
        (PORT + NAMES[:8], NAMES[8:]),
        tuple(bytes([byte]) for byte in PORT + NAMES),
        (PORT, b"name other at port 1\n" * 300, NAMES),
    ],
    ids=["at once", "port first", "within the name", "byte by byte", "behind many others"],
)
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


def test_a_broker_that_is_named_is_an_answer_before_the_peer_closes(world: World) -> None:
    link = world.links.all[0]
    with epmd(PORT, NAMES, hang=True) as address:
        world.proxies.listen[link.proxies[0]] = address
        began = time.monotonic()
        assert network.epmd_answers(link, timeout=3)
        assert time.monotonic() - began < 2


def test_an_epmd_that_never_ends_is_given_up_when_time_is_over(world: World) -> None:
    link = world.links.all[0]
    with epmd(*[b"name other at port 1\n"] * 400) as address:
        world.proxies.listen[link.proxies[0]] = address
        began = time.monotonic()
        assert not network.epmd_answers(link, timeout=0.1)
        assert time.monotonic() - began < 1


def test_an_answer_longer_than_any_epmds_is_none(world: World) -> None:
    link = world.links.all[0]
    with epmd(b"x" * 2 * network.LONGEST_ANSWER, NAMES) as address:
        world.proxies.listen[link.proxies[0]] = address
        assert not network.epmd_answers(link, timeout=2)


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
    world.see_cut_links()
    assert (fault.in_effect(), fault.is_gone()) == (True, False)
    assert len(world.links.problems()) == links

    fault.heal()
    fault.heal()
    world.see_cut_links()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)


@pytest.mark.usefixtures("answering")
def test_a_clean_cut_is_one_that_each_end_has_noticed_and_a_paused_end_has(world: World) -> None:
    fault = network.pair_cut(world.cluster, world.links, *world.nodes[:2])
    fault.inject()
    assert not fault.in_effect()

    world.apis[0].seen[world.names[1]]["running"] = False
    assert not fault.in_effect()
    world.apis[1].mute = True
    with pytest.raises(ToolFailed):  # "not yet", for whoever waits for it
        fault.in_effect()
    world.apis[1].refuses = True
    assert fault.in_effect()


@pytest.mark.usefixtures("answering")
def test_a_silent_cut_is_noticed_by_nobody(world: World) -> None:
    fault = network.pair_cut(world.cluster, world.links, *world.nodes[:2], silently=True)
    fault.inject()

    assert fault.in_effect()


@pytest.mark.usefixtures("answering")
def test_a_cut_with_a_hole_is_not_in_effect(world: World) -> None:
    fault = network.isolated(world.cluster, world.links, world.nodes[0])

    fault.inject()
    world.see_cut_links()
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


def test_drops_of_a_member_that_is_gone_are_not_in_effect_and_not_healed(world: World) -> None:
    drops = world.filters["lb1"]
    fault = network.unplugged("lb1", drops, gone=lambda: True)
    fault.inject()
    drops.packets, drops.gone = 5, True

    for ask in (fault.in_effect, fault.is_gone):
        with pytest.raises(ToolFailed):
            ask()
