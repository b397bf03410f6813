"""A way through a link proxy for a while: put in, hurt, lifted; and the trap of a check that would not notice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import NoVerdict
from pytest_rmqha.faults import detour as faults
from pytest_rmqha.lease import Stage
from tests.unit.fakes import FakeProxies, FakeRedirect, FakeStack, World


@pytest.fixture
def broker() -> Iterator[str]:
    """Somebody who answers each AMQP header with a first byte, at the address that is returned."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    wire, _ = server.accept()
                except OSError:
                    return
                with wire:
                    if wire.recv(8) == faults.AMQP_HEADER:
                        wire.sendall(b"\x01")

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def detour_to(place: str, via: str | None = None) -> Detour:
    return Detour("lb1", place, via or place, (f"lb1>{place}",), FakeProxies(), FakeRedirect())


def test_the_proxy_stands_before_anybody_is_sent_there_and_goes_after_nobody_is(broker: str) -> None:
    detour = detour_to(broker)
    fault = faults.detoured(detour)

    fault.inject()
    assert not fault.in_effect(), "nobody has taken it yet"
    detour.redirect.count = 2  # type: ignore[attr-defined]
    assert fault.in_effect()

    fault.heal()
    assert fault.is_gone()
    assert detour.server.done == [f"create lb1>{broker}", f"delete lb1>{broker}"]  # type: ignore[attr-defined]


def test_a_detour_that_nobody_answers_on_is_not_in_effect() -> None:
    detour = detour_to("127.0.0.1:9")
    detour.put()
    detour.redirect.count = 1  # type: ignore[attr-defined]

    assert not faults.detoured(detour).in_effect()


def test_a_clean_cut_is_seen_when_the_proxy_refuses_and_gone_when_it_greets_again(broker: str) -> None:
    detour = detour_to(broker)
    fault = faults.cut(detour)

    fault.inject()
    assert not fault.in_effect(), "the fake closes nothing: a cut that cuts nothing is not in effect"
    fault.heal()
    assert fault.is_gone()


def test_latency_that_is_not_there_is_not_in_effect(broker: str) -> None:
    fault = faults.slowed(detour_to(broker), milliseconds=200)

    fault.inject()
    assert not fault.in_effect()


@pytest.mark.parametrize(("check", "named"), [("L4OK", "L4OK"), ("", "nothing")])
def test_a_balancer_whose_check_does_not_speak_to_the_broker_gets_no_detour(check: str, named: str) -> None:
    world = World()
    stage = _stage(world)
    world.balancers[0].page.check = check  # type: ignore[attr-defined]

    with pytest.raises(NoVerdict, match=rf"lb1 checks amqp/rmq1 by {named}.*always succeeds"):
        stage.detour_between(world.balancers[0], world.nodes[0])


def test_ways_are_named_by_their_ends() -> None:
    world = World()
    stage = _stage(world)

    assert str(stage.detour_to_the_vip()) == "rmqha-client→192.0.2.100:5672"
    assert str(stage.detour_between(world.balancers[0], world.nodes[0])) == "lb1→192.0.2.1:5672"


def _stage(world: World) -> Stage:
    stack = FakeStack(world)
    return Stage("t", stack, world.cluster, Chaos(stack.timeline), 0.0)
