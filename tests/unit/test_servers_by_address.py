"""Which servers of a haproxy are a broker's: by their address, whatever they are called; by name where none is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from pytest_rmqha.adapters.haproxy import own_page, parse
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.errors import ToolFailed
from tests.unit.fakes import FakePage, World


@dataclass
class PageWithAddresses:
    """Servers with states and places; ``mute`` does not answer."""

    servers: dict[str, tuple[str, str]] = field(default_factory=dict)
    mute: bool = False

    def _asked(self) -> None:
        if self.mute:
            raise ToolFailed("no page")

    def states(self) -> Mapping[str, str]:
        self._asked()
        return {name: state for name, (state, _) in self.servers.items()}

    def checks(self) -> Mapping[str, str]:
        return dict.fromkeys(self.states(), "L7OK")

    def addresses(self) -> Mapping[str, str]:
        self._asked()
        return {name: place for name, (_, place) in self.servers.items()}


RENAMED = {
    "rabbit/node01": ("UP", "192.0.2.1:5672"),
    "rabbit/node03": ("DOWN", "192.0.2.3:5672"),
    "web/rmq1": ("UP", "192.0.2.3:15672"),  # called like another broker
    "other/rmq3": ("MAINT", "192.0.2.30:5672"),
    "cache/unix": ("UP", "unix"),
}


def balancer(world: World, servers: dict[str, tuple[str, str]], mute: bool = False) -> Balancer:
    return replace(world.balancers[0], page=PageWithAddresses(servers, mute))


def test_a_broker_is_known_by_its_address_whatever_its_server_is_called() -> None:
    world = World()
    first, _, third = world.nodes
    page = balancer(world, RENAMED)

    assert page.servers_of(third) == {"rabbit/node03", "web/rmq1"}
    assert page.servers_of(third, 5672) == {"rabbit/node03"}
    assert page.sees(third) == {"DOWN", "UP"}
    assert page.sees(first) == {"UP"}
    assert page.sees(world.nodes[1]) == frozenset()


@pytest.mark.parametrize("place", ["", "unix"])
def test_without_an_address_a_server_goes_by_the_brokers_service_or_host_name(place: str) -> None:
    world = World()
    page = balancer(world, {"a/rmq2": ("UP", place), "b/host2": ("DOWN", place), "c/node2": ("MAINT", place)})

    assert page.servers_of(world.nodes[1], 5672) == {"a/rmq2", "b/host2"}
    assert page.sees(world.nodes[1]) == {"UP", "DOWN"}


def test_an_ipv6_address_is_read_without_its_brackets() -> None:
    world = World()
    node = replace(world.nodes[0], address="2001:db8::1")

    assert balancer(world, {"a/x": ("UP", "[2001:db8::1]:5672")}).sees(node) == {"UP"}


def test_a_page_that_tells_no_addresses_is_asked_for_names() -> None:
    world = World()
    world.pages["lb1"].servers = {"amqp/rmq1": "DOWN", "amqp/rmq2": "UP"}

    assert isinstance(world.balancers[0].page, FakePage)
    assert world.balancers[0].sees(world.nodes[0]) == {"DOWN"}


def test_a_mute_haproxy_sees_nobody_and_its_servers_are_not_known() -> None:
    world = World()
    page = balancer(world, RENAMED, mute=True)

    assert page.sees(world.nodes[0]) == frozenset()
    with pytest.raises(ToolFailed):
        page.servers_of(world.nodes[0])


def test_our_page_tells_addresses_and_they_are_read() -> None:
    assert "    stats show-legends\n" in own_page("u", "p")

    text = "# pxname,svname,status,type,addr,\nb,FRONTEND,OPEN,0,,\nb,s1,UP,2,192.0.2.1:5672,\nb,s2,DOWN 1/2,2,,\n"
    assert parse(text, "addr") == {"b/s1": "192.0.2.1:5672", "b/s2": ""}
