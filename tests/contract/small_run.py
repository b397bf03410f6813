"""A run without a stack: one network of its own, and single members that are found and removed as a run's are."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker.errors
from docker.models.networks import Network

from pytest_rmqha.adapters import leftovers
from pytest_rmqha.adapters.engine import RUN_LABEL, Engine, FileToPut
from pytest_rmqha.errors import ToolFailed

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class SmallRun:
    """Members are started one by one and found by service, as a run's are. ``images``: role -> tag.

    A member's address is its own for as long as it exists: without one of its own it may come back with another.
    """

    engine: Engine
    images: Mapping[str, str]
    network: Network
    addresses: Iterator[ipaddress.IPv4Address]

    def member(
        self,
        service: str,
        role: str,
        *command: str,
        entrypoint: Sequence[str] | None = None,
        files: Sequence[FileToPut] = (),
        stdin_open: bool = False,
        cap_add: Sequence[str] = (),
    ) -> str:
        """Create one, copy its files in, start it; returns its address."""
        address = str(next(self.addresses))
        endpoint = self.engine.client.api.create_endpoint_config(ipv4_address=address)
        container = self.engine.client.containers.create(
            self.images[role],
            list(command) or None,
            entrypoint=list(entrypoint) if entrypoint else None,
            hostname=service,
            network=self.network.name,
            networking_config={str(self.network.name): endpoint},
            labels={**self.engine.helper_labels, "com.docker.compose.service": service},
            init=True,
            stdin_open=stdin_open,
            cap_add=list(cap_add),
            detach=True,
        )
        if files:
            self.engine.put(service, list(files))
        container.start()
        return address

    def remove(self, service: str) -> None:
        with contextlib.suppress(docker.errors.NotFound, ToolFailed):
            self.engine.container(service).remove(force=True, v=True)
        self.engine.forget()


def free_subnet(engine: Engine) -> ipaddress.IPv4Network:
    """A /24 out of 198.18.0.0/15 (RFC 2544, as the topologies' own) that no network on the engine overlaps."""
    for number in range(200, 256):
        if not engine.clashing_networks(f"198.18.{number}.0/24"):
            return ipaddress.IPv4Network(f"198.18.{number}.0/24")
    raise ToolFailed("198.18.200.0/24 to 198.18.255.0/24: networks overlap each of them")


def owned(run: str) -> dict[str, str]:
    """Labels by which ``rmqha clean`` and the next run know whose things these are, should we die."""
    return {
        RUN_LABEL: run,
        "rmqha.test": "contract",
        "rmqha.pid": str(os.getpid()),
        "rmqha.host": socket.gethostname(),
        "rmqha.boot-id": BOOT_ID.read_text().strip() if BOOT_ID.exists() else "",
        "rmqha.start": leftovers.start_of(os.getpid()),
        "rmqha.started": f"{time.time():.0f}",
    }
