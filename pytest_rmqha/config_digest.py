"""What a run's stack is made of, as one number that is known without docker: two runs of the same thing have the same."""

from __future__ import annotations

import hashlib

from pytest_rmqha import data
from pytest_rmqha.config.folder import layered
from pytest_rmqha.opening import configuration_folders
from pytest_rmqha.settings import Settings
from pytest_rmqha.topology import Topology


def config_digest(settings: Settings, shape: Topology) -> str:
    """SHA-256 over what the stack is made of, known without docker: compose file, members' files, variants."""
    made = hashlib.sha256(settings.topology_file.read_bytes())
    folders = configuration_folders(settings)
    for role, members in (("broker", shape.brokers), ("balancer", shape.balancers)):
        for member in members:
            for file in layered(folders, member.service, role, member.hostname, settings.config).values():
                made.update(f"{member.service} {file.target} {file.mode} {file.sha256}\n".encode())
    more = [folder / "topology.json" for folder in folders]
    more += [path for name in data.variants() for path in sorted(data.variant_folder(name).rglob("*"))]
    for path in more:
        if path.is_file():
            made.update(path.name.encode() + path.read_bytes())
    return made.hexdigest()
