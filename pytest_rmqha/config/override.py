"""What the harness adds to a topology: one generated override that compose merges.

It adds the load client, the link proxies with a name-mapped address for each ordered pair of brokers, run labels, the
images where the file states ``rmqha/…`` or an option says so, and ``restart: no``: a member that was killed comes back when
the harness lets it. A user's compose file stays an ordinary compose file.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.topology import Topology

DISTRIBUTION_PORTS = {"epmd": 4369, "dist": 25672}
RUNNER_HOST, CLIENT_HOST, TOXIPROXY_HOST, LINK_FIRST = 198, 199, 200, 201


@dataclass(frozen=True)
class LinkAddress:
    """One direction of a pair: ``source`` dials ``target`` at ``address``, which is the toxiproxy container's."""

    source: str
    target: str
    address: str
    upstream: str

    def proxy(self, port_name: str) -> str:
        return f"{self.source}>{self.target}:{port_name}"


def link_addresses(topology: Topology) -> tuple[LinkAddress, ...]:
    """One address per ordered pair of brokers, from .201 of the topology's subnet on; none of a single broker."""
    pairs = [(a, b) for a in topology.brokers for b in topology.brokers if a != b]
    return tuple(
        LinkAddress(source.service, target.service, host_of(topology, LINK_FIRST + number), target.address)
        for number, (source, target) in enumerate(pairs)
    )


def refuse_without_room(topology: Topology) -> None:
    """UserInputError when the addresses that the harness adds don't fit into the subnet or are somebody's already."""
    last = LINK_FIRST + len(topology.links) - 1 if topology.links else CLIENT_HOST
    network = ipaddress.ip_network(topology.subnet)
    if last >= network.num_addresses - 1:
        raise UserInputError(
            f"subnet of topology {topology.name}",
            f"{topology.subnet} with {len(topology.brokers)} brokers",
            f"one with room for addresses number {RUNNER_HOST} to {last} (runner, load client and link proxies)",
            "give the network of the compose file a larger subnet, or take fewer brokers",
        )
    members = {m.address: m.service for m in topology.members}
    theirs = {**members, topology.gateway: "the gateway"}
    if topology.vip:
        theirs[topology.vip] = "a VIP"
    for number in (
        RUNNER_HOST,
        CLIENT_HOST,
        *((TOXIPROXY_HOST, *range(LINK_FIRST, last + 1)) if topology.links else ()),
    ):
        if (address := str(network[number])) in theirs:
            raise UserInputError(
                f"address of {theirs[address]}",
                address,
                f"addresses outside of {network[RUNNER_HOST]} to {network[last]}, which the harness gives to its own",
                f"give {theirs[address]} another address in {topology.name}",
            )


def proxies_for(links: tuple[LinkAddress, ...]) -> list[dict[str, Any]]:
    """The body of toxiproxy's /populate: an epmd and a distribution proxy for each link."""
    return [
        {
            "name": link.proxy(name),
            "listen": f"{link.address}:{port}",
            "upstream": f"{link.upstream}:{port}",
            "enabled": True,
        }
        for link in links
        for name, port in DISTRIBUTION_PORTS.items()
    ]


def host_of(topology: Topology, number: int) -> str:
    return str(ipaddress.ip_network(topology.subnet)[number])


def override(
    topology: Topology, images: Mapping[str, str], labels: Mapping[str, str], links: tuple[LinkAddress, ...]
) -> str:
    """The override as JSON text (compose reads JSON as YAML). ``images``: role -> tag; ``labels`` go on everything."""
    hostnames = {b.service: b.hostname for b in topology.brokers}
    services: dict[str, Any] = {}
    for broker in topology.brokers:
        services[broker.service] = {
            "image": images["broker"],
            "labels": dict(labels),
            "restart": "no",
            "extra_hosts": [
                f"{hostnames[link.target]}:{link.address}" for link in links if link.source == broker.service
            ],
        }
    for balancer in topology.balancers:
        services[balancer.service] = {"image": images["balancer"], "labels": dict(labels), "restart": "no"}
    network = topology.network
    if links:
        services["rmqha-toxiproxy"] = {
            "image": images["toxiproxy"],
            "labels": {**labels, "rmqha.role": "toxiproxy"},
            "command": ["-host=0.0.0.0"],
            "networks": {network: {"ipv4_address": host_of(topology, TOXIPROXY_HOST)}},
        }
    services["rmqha-client"] = {
        "image": images["client"],
        "labels": {**labels, "rmqha.role": "client"},
        "init": True,
        "stdin_open": True,
        "networks": {network: {"ipv4_address": host_of(topology, CLIENT_HOST)}},
    }
    networks = {network: {"labels": dict(labels)}}
    return json.dumps({"services": services, "networks": networks}, indent=2)
