"""The declared shape of a stack, as frozen data: who is there, under which name and address, and where the VIP is.

There is one description of a topology, its compose file; ``topology_reader`` makes this of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_rmqha.errors import UserInputError


@dataclass(frozen=True)
class BrokerSpec:
    """One broker. Its Erlang node is ``rabbit@hostname``."""

    service: str
    hostname: str
    address: str
    node_type: str = "disc"


@dataclass(frozen=True)
class BalancerSpec:
    """One balancer: haproxy and keepalived in one container. ``nofile``: (soft, hard) limit of open files, None for the engine's."""

    service: str
    hostname: str
    address: str
    nofile: tuple[int, int] | None = None


@dataclass(frozen=True)
class Topology:
    """``network`` is the compose key of the one network of all members.

    ``images``: (role, image) of the members whose compose file names an image of its own; ``rmqha/…`` stands for the line's.
    """

    name: str
    brokers: tuple[BrokerSpec, ...]
    balancers: tuple[BalancerSpec, ...]
    vip: str | None
    subnet: str
    gateway: str
    network: str
    images: tuple[tuple[str, str], ...] = ()

    @property
    def members(self) -> tuple[BrokerSpec | BalancerSpec, ...]:
        return (*self.brokers, *self.balancers)

    @property
    def links(self) -> tuple[tuple[BrokerSpec, BrokerSpec], ...]:
        """Every ordered pair of brokers: (who dials, who is dialled)."""
        return tuple((a, b) for a in self.brokers for b in self.brokers if a != b)

    def member(self, name: str) -> BrokerSpec | BalancerSpec:
        """By service name or host name; an unknown one is a UserInputError."""
        for member in self.members:
            if name in (member.service, member.hostname):
                return member
        known = ", ".join(m.service for m in self.members)
        raise UserInputError(
            f"member of topology {self.name}", name, known, "use a service name or a host name of the compose file"
        )
