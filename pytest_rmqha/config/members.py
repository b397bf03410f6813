"""The configuration files of every member of a topology, as they are read now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_rmqha.config.folder import ConfigFile, layered
from pytest_rmqha.topology import Topology


def files_of_members(topology: Topology, folders: Sequence[Path], own: Path | None) -> dict[str, list[ConfigFile]]:
    """service -> its files, brokers first; a later folder wins (``own``: the one that is judged)."""
    roles = [(b, "broker") for b in topology.brokers] + [(b, "balancer") for b in topology.balancers]
    return {m.service: list(layered(folders, m.service, role, m.hostname, own).values()) for m, role in roles}
