"""The links on a toxiproxy of dictionaries: what each verb leaves there, and that nothing is left after a restore."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.links import Link, each
from tests.unit.fakes import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def link(world: World) -> Link:
    return world.links.all[0]


VERBS: list[Callable[[Link], None]] = [
    Link.close,
    Link.swallow,
    lambda link: link.swallow_from(link.source),
    lambda link: link.swallow_from(link.target),
    lambda link: link.delay(100, jitter=5),
    lambda link: link.narrow(64),
]


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_done_to_a_link_is_seen_and_restored(world: World, link: Link, verb: Callable[[Link], None]) -> None:
    assert link.is_clear()

    verb(link)
    assert not link.is_clear()
    assert world.links.problems() == ["link rmq1→rmq2 is still cut or slowed"]

    link.restore()
    link.restore()
    assert link.is_clear()
    assert world.links.problems() == []


def test_a_cut_closes_the_distribution_first_and_opens_epmd_first(world: World, link: Link) -> None:
    link.close()
    link.open()

    assert world.proxies.done == [
        "close at once rmq1>rmq2:dist rmq1>rmq2:epmd",
        "open rmq1>rmq2:epmd",
        "open rmq1>rmq2:dist",
    ]


def test_a_clean_cut_of_several_swallows_first_and_closes_all_in_one_call(world: World) -> None:
    pair = world.links.between(*world.nodes[:2])
    swallowed: list[dict[str, list[str]]] = []
    close = world.proxies.close

    def watched(names: Sequence[str]) -> None:
        swallowed.append(dict(world.proxies.taken))
        close(names)

    world.proxies.close = watched  # type: ignore[method-assign]
    world.links.close_at_once(pair)

    assert [sorted(taken) for taken in swallowed] == [sorted(p for link in pair for p in link.proxies)]
    assert world.proxies.done == ["close at once rmq1>rmq2:dist rmq1>rmq2:epmd rmq2>rmq1:dist rmq2>rmq1:epmd"]
    assert not any(link.is_clear() for link in pair)

    world.links.open_again(pair)
    assert world.links.problems() == []


def test_a_clean_cut_that_stopped_half_way_is_undone_too(world: World) -> None:
    pair = world.links.between(*world.nodes[:2])

    def refused(names: Sequence[str]) -> None:
        raise ToolFailed(f"not {names}")

    world.proxies.close = refused  # type: ignore[method-assign]
    with pytest.raises(ToolFailed):
        world.links.close_at_once(pair)
    world.links.open_again(pair)

    assert world.links.problems() == []


def test_a_silent_cut_swallows_both_streams_of_both_proxies(world: World, link: Link) -> None:
    link.swallow()

    both = ["rmqha-silent-upstream", "rmqha-silent-downstream"]
    assert world.proxies.taken == {"rmq1>rmq2:epmd": both, "rmq1>rmq2:dist": both}


def test_the_speaker_is_upstream_where_it_dials_and_downstream_where_it_is_dialled(world: World) -> None:
    speaker, listener = world.nodes[:2]
    for link in world.links.between(speaker, listener):
        link.swallow_from(speaker)

    assert world.proxies.taken["rmq1>rmq2:dist"] == ["rmqha-oneway-upstream"]
    assert world.proxies.taken["rmq2>rmq1:dist"] == ["rmqha-oneway-downstream"]


def test_a_pair_is_two_links_and_a_node_of_three_has_four(world: World) -> None:
    a, b, _ = world.nodes

    assert [str(link) for link in world.links.between(a, b)] == ["rmq1→rmq2", "rmq2→rmq1"]
    assert world.links.between(b, a) == world.links.between(a, b)
    assert len(world.links.around(a)) == 4
    assert world.links.between(a, a) == ()


def test_restore_restores_every_link(world: World) -> None:
    for link, verb in zip(world.links.all, VERBS, strict=True):
        verb(link)
    assert len(world.links.problems()) == 6

    world.links.restore()
    assert world.links.problems() == []


def test_each_is_at_the_same_time(world: World) -> None:
    all_there = threading.Barrier(len(world.links.all))

    def verb(_link: Link) -> None:
        all_there.wait(timeout=2)

    each(iter(world.links.all), verb)


def test_each_does_all_before_it_raises(world: World) -> None:
    did: list[Link] = []

    def verb(link: Link) -> None:
        if link == world.links.all[0]:
            raise ToolFailed("no proxy")
        did.append(link)

    with pytest.raises(ToolFailed, match="no proxy"):
        each(world.links.all, verb)
    assert len(did) == 5


def test_each_of_none_is_nothing() -> None:
    each((), Link.close)
