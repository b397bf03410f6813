"""Live handles of what a topology declares: its brokers, its balancers and the links between brokers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_rmqha.adapters.bring_up import ADMIN
from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.adapters.haproxy import OWN_PORT, OWN_URI, StatisticsPage
from pytest_rmqha.adapters.management import Management
from pytest_rmqha.adapters.netfilter import PacketFilter
from pytest_rmqha.adapters.run_secrets import Secrets
from pytest_rmqha.adapters.toxiproxy import Proxies
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.config.override import DISTRIBUTION_PORTS, TOXIPROXY_HOST, LinkAddress, host_of
from pytest_rmqha.links import Link, Links
from pytest_rmqha.topology import Topology


def nodes_of(topology: Topology, engine: Engine, secrets: Secrets) -> tuple[Node, ...]:
    """The brokers, in the order of the compose file."""
    return tuple(
        Node(b.service, b.hostname, b.address, Management(b.address, ADMIN, secrets.admin), engine)
        for b in topology.brokers
    )


def balancers_of(
    topology: Topology, engine: Engine, secrets: Secrets, filter_on: Callable[[str], PacketFilter]
) -> tuple[Balancer, ...]:
    """The balancers, in the order of the compose file; each is asked through the statistics page that is ours."""
    return tuple(
        Balancer(
            b.service,
            b.hostname,
            b.address,
            engine,
            StatisticsPage(b.address, "stats", secrets.statistics, OWN_PORT, OWN_URI),
            filter_on(b.service),
        )
        for b in topology.balancers
    )


def proxies_of(topology: Topology, addresses: Sequence[LinkAddress]) -> Proxies | None:
    """The server of the link proxies; None without links."""
    return Proxies(host_of(topology, TOXIPROXY_HOST)) if addresses else None


def links_of(addresses: Sequence[LinkAddress], cluster: Cluster, proxies: Proxies) -> Links:
    """Each direction of each pair of brokers, with the proxies that it leads through."""
    links = (
        Link(
            cluster.node(one.source),
            cluster.node(one.target),
            tuple(one.proxy(port) for port in DISTRIBUTION_PORTS),
            proxies,
        )
        for one in addresses
    )
    return Links(tuple(links))
