"""The balancers, live: a host with haproxy and keepalived on it, each of which can die or freeze on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import HarnessError, ToolFailed
from pytest_rmqha.outside import BackendStates, Containers, Filter


@dataclass(frozen=True)
class Balancer:
    """One balancer host. ``states()`` answers what *this* haproxy thinks of the brokers."""

    service: str
    hostname: str
    address: str
    containers: Containers = field(repr=False, compare=False)
    page: BackendStates = field(repr=False, compare=False)
    filter: Filter = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.service

    def kill(self) -> None:
        """The whole host at once: haproxy, keepalived and the addresses are gone."""
        self.containers.kill(self.service)

    def start(self) -> None:
        """The host boots: both programs start as after boot."""
        self.containers.start(self.service)

    def state(self) -> str:
        return self.containers.state(self.service)

    def signal(self, program: str, signal: str) -> None:
        """Send a signal to every process called exactly ``program``.

        Who is to be killed is stopped first: keepalived's VRRP process is told of its parent's death by a SIGTERM, and would
        give the address back in the moment before its own SIGKILL comes (seen once).
        """
        if signal == "KILL":
            self.containers.must(self.service, "pkill", "-STOP", "-x", program)
        self.containers.must(self.service, "pkill", f"-{signal}", "-x", program)

    def runs(self, program: str) -> bool:
        """Is there a process called exactly ``program`` that is not stopped and not a zombie?"""
        if self.state() != "running":
            return False
        return self._has(program, "R,S,D,I")

    def has_stopped(self, program: str) -> bool:
        """Is there one that a signal has stopped (state T)? A dead one is none."""
        return self.state() == "running" and self._has(program, "T")

    def _has(self, program: str, states: str) -> bool:
        answer = self.containers.exec(self.service, "pgrep", "-x", "-r", states, program)
        if answer.code not in (0, 1):
            raise ToolFailed(f"pgrep {program} in {self.service} ended with {answer.code}: {answer.err.strip()}")
        return answer.code == 0

    def boot(self, program: str) -> None:
        """Start haproxy or keepalived again as the host's boot does (a signal to the image's first script)."""
        signal = {"haproxy": "USR1", "keepalived": "USR2"}[program]
        self.containers.must(self.service, "pkill", f"-{signal}", "-f", "^/bin/sh /usr/local/bin/start-balancer")

    def backends(self) -> Mapping[str, str]:
        return self.page.states()

    def unchecked(self) -> frozenset[str]:
        """Servers whose first check has not ended: haproxy begins with all of them UP."""
        return frozenset(server for server, check in self.page.checks().items() if check == "INI")

    def servers_of(self, broker: Node, port: int | None = None) -> frozenset[str]:
        """ "backend/server" of each server at the broker's address, with ``port`` at that port only, whatever it is called.

        A server whose address haproxy does not tell is the broker's if it is called by its service or host name; its port is
        then not known and it counts for any. ToolFailed when haproxy does not answer.
        """
        places = self.page.addresses().items()
        return frozenset(server for server, place in places if _is_of(broker, server, place, port))

    def sees(self, broker: Node) -> frozenset[str]:
        """The states this balancer has for one broker over all backends; empty when haproxy does not answer."""
        try:
            states = self.backends()
            return frozenset(states[server] for server in self.servers_of(broker) if server in states)
        except HarnessError:
            return frozenset()


def _is_of(broker: Node, server: str, place: str, port: int | None) -> bool:
    host, _, number = place.rpartition(":")
    if not host:
        return server.partition("/")[2] in (broker.service, broker.hostname)
    return host.strip("[]") == broker.address and port in (None, int(number))
