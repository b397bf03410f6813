"""The contract of ``Filter``, held by nft in one small container's network namespace and by the fake of the unit tests."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pytest_rmqha.adapters.netfilter import PacketFilter
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.outside import Filter
from pytest_rmqha.waiting import await_match, seconds
from tests.contract.small_run import SmallRun
from tests.unit.fakes import FakeFilter

IT = "filtered"
DISCARD = (("input", "udp dport 9"),)
OTHER = (("input", "udp dport 7"), ("output", "meta l4proto 112"))


@dataclass(frozen=True)
class Side:
    """``send`` sends one packet to the member's discard port (9); ``end`` ends the member, ``begin`` starts it again.

    ``clear`` takes rules off from within the member: a look from outside costs a helper container.
    """

    filter: Filter
    clear: Callable[[], object]
    send: Callable[[], object]
    end: Callable[[], object]
    begin: Callable[[], object]


def of_the_fake() -> Side:
    fake = FakeFilter()

    def send() -> None:
        fake.packets += DISCARD[0] in (fake.rules or ())

    def begin() -> None:
        fake.gone, fake.rules = False, None

    return Side(fake, fake.lift, send, lambda: setattr(fake, "gone", True), begin)


@pytest.fixture(scope="module")
def member(small_run: SmallRun) -> Iterator[Side]:
    address = small_run.member(IT, "balancer", "600", entrypoint=["sleep"], cap_add=["NET_ADMIN"])
    engine = small_run.engine

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.sendto(b"x", (address, 9))

    drops = PacketFilter(engine, IT, small_run.images["balancer"])
    clear = functools.partial(engine.must, IT, "nft", "flush", "ruleset")
    yield Side(drops, clear, send, lambda: engine.kill(IT), lambda: engine.start(IT))
    small_run.remove(IT)


@pytest.fixture(params=["fake", "real"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    chosen = of_the_fake() if request.param == "fake" else request.getfixturevalue("member")
    yield chosen
    chosen.clear()


@pytest.fixture
def drops(side: Side) -> Filter:
    return side.filter


def test_without_rules_nothing_is_counted(drops: Filter) -> None:
    assert drops.dropped() is None


def test_rules_count_what_they_drop_until_they_are_lifted(side: Side) -> None:
    side.filter.drop(DISCARD)
    assert side.filter.dropped() == 0

    def after_one_more() -> int | None:
        side.send()
        return side.filter.dropped()

    await_match(after_one_more, lambda n: (n or 0) > 0, what="a dropped packet", within=seconds(10))
    side.filter.lift()
    assert side.filter.dropped() is None
    side.filter.drop(DISCARD)
    assert side.filter.dropped() == 0, "the count of the rules before"


def test_lifting_what_is_not_there_is_no_error(drops: Filter) -> None:
    for _ in range(2):
        drops.lift()
    assert drops.dropped() is None


@pytest.mark.parametrize(
    "rules",
    [
        (("input", "gravity on"),),
        (*DISCARD, ("input", "gravity on")),
        (("sideways", "udp dport 9"),),
        (),
    ],
    ids=["no rule at all", "one good, one bad", "no such hook", "none"],
)
def test_rules_that_cannot_stand_are_a_tool_failure_and_none_of_them_stands(
    drops: Filter, rules: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(ToolFailed):
        drops.drop(rules)
    assert drops.dropped() is None


def test_rules_on_top_of_rules_are_a_tool_failure_and_the_first_ones_stay(side: Side) -> None:
    side.filter.drop(OTHER)
    with pytest.raises(ToolFailed):
        side.filter.drop(DISCARD)
    side.send()
    assert side.filter.dropped() == 0


def test_of_a_member_that_does_not_run_nothing_is_known(side: Side) -> None:
    side.filter.drop(DISCARD)
    side.end()
    try:
        for ask in (side.filter.dropped, side.filter.lift):
            with pytest.raises(ToolFailed):
                ask()
    finally:
        side.begin()
    assert side.filter.dropped() is None, "rules do not outlive a host"
