"""What a run needs of this machine and its engine: looks, each with what was seen."""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import docker

from pytest_rmqha.adapters import reachable
from pytest_rmqha.adapters.images import missing
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images.spec import wanted

MEMORY, DISK = 4.0, 5.0
POOL = ipaddress.IPv4Network("198.18.0.0/15")
REFERENCE = ipaddress.IPv4Network("198.18.40.0/24")
NFT = "nft add table inet rmqha && nft 'add chain inet rmqha cut { type filter hook input priority 0 ; }' && nft list tables"

Seen = tuple[bool | None, str]
"""Good, missing, or None: not known; and what was seen."""


@dataclass(frozen=True)
class Check:
    name: str
    look: Callable[[], Seen]
    remedy: str


def run(check: Check) -> Seen:
    """Never raises: a look that fails was no look."""
    try:
        return check.look()
    except UserInputError as error:
        return None, f"could not look ({error.what}: {error.got})"
    except Exception as error:
        return None, f"could not look ({type(error).__name__}: {' '.join(str(error).split())[:120]})"


def _engine() -> Seen:
    try:
        version = _client().version()
    except UserInputError as error:
        return False, f"{error.what}: {error.got}"
    return True, f"{version['Version']}, API {version['ApiVersion']} (1.41 needed)"


def _permission() -> Seen:
    who = f"user id {os.geteuid()}"
    if not reachable.where().startswith("unix://"):
        return True, f"{who}, the engine at {reachable.where()}"
    path = reachable.where().removeprefix("unix://")
    if not Path(path).exists():
        return False, f"there is no {path}"
    return os.access(path, os.R_OK | os.W_OK), f"{who}, {path}"


def _compose() -> Seen:
    try:
        return True, reachable.require_compose()
    except UserInputError as error:
        return False, f"{error.what}: {error.got}"


def _same_engine() -> Seen:
    try:
        reachable.require_engine()
    except UserInputError as error:
        return False, f"{error.what}: {error.got}"
    return True, f"the docker client and this program both ask {reachable.where()}"


def _client() -> docker.DockerClient:
    return reachable.client(reachable.PATIENCE)


def _nftables() -> Seen:
    """A table is really made, in a container's own namespace: that is where cuts are made."""
    balancer = next(spec for spec in wanted("3.10", {}) if spec.role == "balancer")
    if missing([balancer]):
        return None, "not known before the images are there (make images)"
    container = docker.from_env(timeout=30).containers.create(
        balancer.tag, entrypoint=["sh"], command=["-c", NFT], network_mode="none", cap_add=["NET_ADMIN"], init=True
    )
    try:
        container.start()
        good = container.wait(timeout=30)["StatusCode"] == 0
        said = " ".join(bytes(container.logs()).decode(errors="replace").split())
        return good, f"a chain can be made in a container: {said[:80]}" if good else said[:120]
    finally:
        container.remove(force=True, v=True)


def _memory() -> Seen:
    total = int(_client().info()["MemTotal"]) / 2**30
    return total >= MEMORY, f"{total:.1f} GiB on the engine's host, {MEMORY:.0f} needed"


def _disk() -> Seen:
    root = Path(str(_client().info()["DockerRootDir"]))
    if not root.is_dir():
        return None, f"the engine keeps its data in {root}, which can't be seen from here"
    free = shutil.disk_usage(root).free / 2**30
    return free >= DISK, f"{free:.1f} GiB free in {root}, {DISK:.0f} needed"


def free_subnets(taken: Iterable[str]) -> list[ipaddress.IPv4Network]:
    """The /24 networks set aside for benchmarks (RFC 2544) that overlap none of ``taken``."""
    used = [ipaddress.ip_network(each, strict=False) for each in taken]
    old = [each for each in used if isinstance(each, ipaddress.IPv4Network) and each.prefixlen > 0]
    return [net for net in POOL.subnets(new_prefix=24) if not any(net.overlaps(each) for each in old)]


def routed(table: str) -> list[str]:
    """The networks of a ``/proc/net/route``."""
    found = []
    for row in table.splitlines()[1:]:
        fields = row.split()
        address, mask = (ipaddress.IPv4Address(bytes.fromhex(fields[at])[::-1]) for at in (1, 7))
        found.append(f"{address}/{mask}")
    return found


def _subnets() -> Seen:
    owners: dict[str, str] = {}
    for network in _client().networks.list():
        for pool in ((network.attrs or {}).get("IPAM") or {}).get("Config") or []:
            owners[str(pool.get("Subnet"))] = f"network {network.name}"
    routes = Path("/proc/net/route")
    for net in routed(routes.read_text()) if routes.exists() else []:
        owners.setdefault(str(ipaddress.ip_network(net, strict=False)), "a route of this host")
    free = free_subnets(owners)
    text = f"{len(free)} of 512 free in {POOL}"
    if REFERENCE in free:
        return True, f"{text}, {REFERENCE} of the reference stack among them"
    by = next((who for net, who in owners.items() if free_subnets([net]).count(REFERENCE) == 0), "something")
    return False, f"{text}, but {REFERENCE} of the reference stack is taken by {by}"


CHECKS: tuple[Check, ...] = (
    Check("docker engine", _engine, "install and start Docker Engine 20.10 or later (as root on Debian: make engine)"),
    Check("permission", _permission, "run as root or join the docker group, and start the engine"),
    Check("compose plug-in", _compose, "install the compose v2 plug-in (as root on Debian: make engine)"),
    Check("one engine", _same_engine, "set DOCKER_HOST to the engine that is meant (see: docker context ls)"),
    Check("nftables", _nftables, "use a kernel with nf_tables (network cuts are made with it)"),
    Check("memory", _memory, "give the engine's host more memory"),
    Check("disk", _disk, "free some space"),
    Check("subnet", _subnets, "wait for that run, or remove what a dead one left (rmqha clean)"),
)
