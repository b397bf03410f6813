"""The detours of a run: each pair has a port of its own at the toxiproxy container's address, from 21000 on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.adapters.redirect import NetworkRedirect
from pytest_rmqha.adapters.toxiproxy import Proxies
from pytest_rmqha.config.override import TOXIPROXY_HOST, host_of
from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.topology import Topology

FIRST = 21000


@dataclass
class Detours:
    """``proxies``: None where the topology has no links, and then there is no detour either."""

    topology: Topology
    images: Mapping[str, str]
    engine: Engine
    proxies: Proxies | None
    _numbers: dict[str, int] = field(default_factory=dict)

    def between(self, source: str, target: str) -> Detour:
        """The same port again for a pair that had one. ``source``: a service, ``target``: ``address:port``."""
        if self.proxies is None:
            raise HarnessError("this topology has no link proxies; mark the scenario with rmq_requires('links')")
        name = f"{source}>{target}"
        port = FIRST + self._numbers.setdefault(name, len(self._numbers))
        via = f"{host_of(self.topology, TOXIPROXY_HOST)}:{port}"
        redirect = NetworkRedirect(self.engine, source, self.images["balancer"], target, via)
        return Detour(source, target, via, (name,), self.proxies, redirect)
