"""A split of the VIP: what is measured of the recovery, where it comes and where it does not."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha import vip as vips
from pytest_rmqha import waiting
from pytest_rmqha.errors import InvariantNotUpheld
from pytest_rmqha.timeline import Event
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Answer, Hands, World

LINK = "02:00:00:00:00:01"
HEALED = 130.0


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    module = importlib.import_module("plays.two_holders")
    hands = Hands()
    waits = functools.partial(waiting.await_match, clock=hands.now, sleep=hands.sleep)
    monkeypatch.setattr(module, "await_match", waits)
    monkeypatch.setattr(vips, "await_match", waits)
    monkeypatch.setattr(module, "clock", SimpleNamespace(now=hands.now))
    monkeypatch.setattr(module, "gaps_under_load", lambda history, kind: history if kind == "publish" else ())
    return module


class Split:
    """A stage whose fault makes two holders; ``left``: who holds the VIP after it, ``cached``: what the client's ARP says."""

    def __init__(self, left: list[str], cached: str, served: bool = True) -> None:
        self.world, self.left, self.cached, self.served = World(), left, cached, served
        self.vip, self.chaos, self.timeline = self.world.vip, self, SimpleNamespace(events=())
        self.events = (Event(HEALED, "fault.healed", "split", "", {"took": 2.0}),)
        spans = ((HEALED - 9, HEALED - 1), (HEALED - 3, HEALED + 2), (HEALED + 0.4, HEALED + 49.4))
        self.history = tuple(SimpleNamespace(start=start, end=end) for start, end in spans)
        self.world.containers.states["rmqha-client"] = "running"
        self.said, self.world.containers.says = self.world.containers.says, self.says

    def says(self, service: str, command: tuple[str, ...]) -> Answer:
        if command[0] == "cat":
            return Answer(out=f"{LINK}\n")
        if command[:2] == ("ip", "neigh"):
            return Answer(out=f"192.0.2.100 dev eth0 lladdr {self.cached} REACHABLE\n")
        return self.said(service, command)

    @contextlib.contextmanager
    def inject(self, _: Any) -> Iterator[None]:
        self.world.holders.append("lb2")
        yield
        self.world.holders[:] = self.left

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        yield

    def await_progress(self, **_: Any) -> None:
        if not self.served:
            raise InvariantNotUpheld("nobody is served")


def seen(plays: Any, split: Split) -> Any:
    return plays.two_balancers_hold_the_vip(split, split, lambda *_: None)


def test_a_recovery_is_measured_from_the_end_of_the_heal(plays: Any) -> None:
    found = seen(plays, Split(["lb1"], LINK))

    assert (found.before, found.during, found.after) == ("lb1", {"lb1", "lb2"}, {"lb1"})
    assert found.neighbour_is_holder and found.recovery[0] == HEALED + 2
    assert found.served_again_after == pytest.approx(49)  # a gap that begins behind the heal counts, too


def test_clients_that_keep_the_wrong_balancer_are_seen_and_no_error(plays: Any) -> None:
    found = seen(plays, Split(["lb1"], "02:00:00:00:00:02", served=False))

    assert not found.neighbour_is_holder and found.after == {"lb1"}


def test_two_holders_that_stay_two_are_seen_and_no_error(plays: Any) -> None:
    found = seen(plays, Split(["lb1", "lb2"], LINK))

    assert found.after == {"lb1", "lb2"} and not found.neighbour_is_holder
