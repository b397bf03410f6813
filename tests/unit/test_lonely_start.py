"""A broker that was started without its peers: what it listens on, and when that counts as waiting."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import pytest

from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.waiting import await_match, seconds
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Answer, Hands, World

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
CLUSTER = {4369, 25672}


def table(*listening: tuple[str, int]) -> str:
    rows = (f"   {n}: {address}:{port:04X} 00000000:0000 0A 0 0 0\n" for n, (address, port) in enumerate(listening))
    return HEAD + "".join(rows)


def open_to_all(ports: set[int]) -> Answer:
    return Answer(out=table(*(("00000000", port) for port in ports)))


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return importlib.import_module("plays.lonely_start")


@pytest.fixture
def hands(play: Any, monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(play, "await_match", functools.partial(await_match, clock=hands.now, sleep=hands.sleep))
    monkeypatch.setattr(play.clock, "now", hands.now)
    return hands


def says(world: World, hands: Hands, *steps: tuple[float, set[int]]) -> None:
    """From each moment (seconds since the start) on, the broker listens on those ports."""

    def answer(_service: str, _command: tuple[str, ...]) -> Answer:
        ports = [ports for at, ports in steps if hands.at - 100 >= at]
        return open_to_all(ports[-1]) if ports else open_to_all(set())

    world.containers.says = answer


def test_what_others_can_reach_is_listened_on_and_a_loopback_is_not(play: Any) -> None:
    world = World()
    world.containers.says = lambda _service, _command: Answer(
        code=1,
        out=table(("00000000", 25672), ("0B00007F", 36123), ("0100007F", 6000), ("2A2812C6", 15672))
        + HEAD
        + table(
            ("0" * 32, 4369),
            ("0" * 24 + "01000000", 7000),
            ("0" * 16 + "FFFF00000100007F", 8000),
            ("0" * 16 + "FFFF00002A2812C6", 5672),
        )
        + "   9: 00000000:1F90 00000000:0000 01 connected\n",
        err="cat: /proc/net/tcp6: No such file or directory",
    )

    assert play.listens_on(world.nodes[0]) == {25672, 15672, 4369, 5672}


def test_an_answer_that_was_lost_on_the_way_is_none(play: Any) -> None:
    world = World()
    world.containers.says = lambda _service, _command: Answer()

    with pytest.raises(ToolFailed, match="rmq1 does not tell what it listens on"):
        play.listens_on(world.nodes[0])


def test_a_broker_that_says_so_for_5_s_waits(play: Any, hands: Hands) -> None:
    world = World()
    says(world, hands, (3, CLUSTER))
    hands.then = lambda: (
        hands.at >= 140 and world.containers.lines.update(rmq1=["9999 Waiting for Mnesia tables for 30000 ms"])
    )

    seen = play.watched_alone(world.nodes[0], 100.0)

    assert seen.waited
    assert seen.lasted == pytest.approx(45, abs=1)
    assert "it said that it waits" in str(seen)


def test_a_broker_that_says_so_as_every_boot_does_and_goes_on_does_not_wait(play: Any, hands: Hands) -> None:
    world = World()
    says(world, hands, (3, CLUSTER), (41.5, {*CLUSTER, 15672}))
    hands.then = lambda: (
        hands.at >= 140 and world.containers.lines.update(rmq1=["9999 Waiting for Mnesia tables for 30000 ms"])
    )

    seen = play.watched_alone(world.nodes[0], 100.0)

    assert (seen.waited, seen.served) == (False, {15672})


def test_a_silent_log_is_made_up_for_by_a_long_look_at_the_ports(play: Any, hands: Hands) -> None:
    world = World()
    says(world, hands, (3, CLUSTER))

    seen = play.watched_alone(world.nodes[0], 100.0)

    assert seen.waited
    assert not seen.said
    assert seen.lasted == pytest.approx(73, abs=1)
    assert play.withheld(seconds(120), seen).seconds == pytest.approx(148, abs=1)


def test_a_broker_that_goes_on_alone_is_seen_serving(play: Any, hands: Hands) -> None:
    world = World()
    says(world, hands, (3, CLUSTER), (52, {*CLUSTER, 5672}))

    seen = play.watched_alone(world.nodes[0], 100.0)

    assert not seen.waited
    assert seen.served == {5672}
    assert seen.lasted == pytest.approx(52, abs=1)
    assert "it served on 5672" in str(seen)


def test_the_port_of_the_look_for_its_own_name_early_in_a_boot_serves_nobody(play: Any, hands: Hands) -> None:
    world = World()
    says(world, hands, (1, {4369, 36539}), (3, CLUSTER))

    seen = play.watched_alone(world.nodes[0], 100.0)

    assert seen.waited
    assert not seen.served


def test_a_service_counts_whatever_else_listens(play: Any) -> None:
    assert play.served_on(frozenset({4369, 5672, 36539})) == {5672}
    assert play.served_on(frozenset({*CLUSTER, 5672, 36539})) == {5672, 36539}


def test_a_broker_that_says_that_it_waits_and_serves_does_not_wait(play: Any, hands: Hands) -> None:
    world = World()
    says(world, hands, (0, {*CLUSTER, 15672}))
    world.containers.lines["rmq1"] = ["9999 Waiting for Mnesia tables for 30000 ms"]

    assert not play.watched_alone(world.nodes[0], 100.0).waited


def test_a_broker_that_ends_and_boots_again_and_again_does_not_wait(play: Any, hands: Hands) -> None:
    world = World()
    says(world, hands, *((at, CLUSTER if at % 40 else {4369}) for at in range(0, 200, 20)))

    seen = play.watched_alone(world.nodes[0], 100.0)

    assert not seen.waited
    assert seen.lasted == pytest.approx(90, abs=1)


def test_a_broker_that_does_not_run_does_not_wait(play: Any, hands: Hands) -> None:
    world = World()
    world.containers.states["rmq1"] = "exited"

    assert not play.watched_alone(world.nodes[0], 100.0).waited


def test_the_usual_wait_leaves_the_budget_alone(play: Any) -> None:
    lonely = play.Lonely(said=True, served=frozenset(), silent_for=37.0, lasted=41.0)

    assert play.withheld(seconds(120), lonely).seconds == 120
