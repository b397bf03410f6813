"""A configuration folder: ordinary files as an operator has them, read byte for byte and dealt out to the members.

Layout: files at the top are everybody's; a sub-folder named after a member (service or host name) holds what is that
member's own. Scripts keep the executable bit they have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_rmqha.errors import UserInputError

BROKER_TARGETS: Mapping[str, str] = {
    "rabbitmq.conf": "/etc/rabbitmq/rabbitmq.conf",
    "advanced.config": "/etc/rabbitmq/advanced.config",
    "enabled_plugins": "/etc/rabbitmq/enabled_plugins",
    "definitions.json": "/etc/rabbitmq/definitions.json",
    "rabbitmq-env.conf": "/etc/rabbitmq/rabbitmq-env.conf",
}
BALANCER_TARGETS: Mapping[str, str] = {
    "haproxy.cfg": "/etc/haproxy/haproxy.cfg",
    "keepalived.conf": "/etc/keepalived/keepalived.conf",
}
SCRIPT_FOLDER = "/etc/keepalived"


@dataclass(frozen=True)
class ConfigFile:
    """One file of one member. ``origin`` says where it was read, ``target`` where it stands in the container."""

    name: str
    origin: Path
    target: str
    content: bytes
    mode: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def _target(name: str, role: str) -> str | None:
    known = BROKER_TARGETS if role == "broker" else BALANCER_TARGETS
    if name in known:
        return known[name]
    if role == "balancer" and name.endswith(".sh"):
        return f"{SCRIPT_FOLDER}/{name}"
    return None


def files_of(folder: Path, member: str, role: str) -> Mapping[str, ConfigFile]:
    """file name -> file, for one member of a role ("broker" or "balancer"); the member's own file wins over everybody's."""
    found: dict[str, ConfigFile] = {}
    for place in (folder, folder / member):
        if not place.is_dir():
            continue
        for path in sorted(p for p in place.iterdir() if p.is_file()):
            target = _target(path.name, role)
            if target is None:
                continue
            try:
                content = path.read_bytes()
            except OSError as error:
                raise UserInputError(
                    "configuration file", str(path), "a readable file", f"make it readable ({error.strerror})"
                ) from None
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            found[path.name] = ConfigFile(path.name, path, target, content, mode)
    return found


def layered(folders: list[Path], member: str, role: str) -> Mapping[str, ConfigFile]:
    """Files of a member from several folders; a later folder (a line, a variant, the user's) wins over an earlier one."""
    files: dict[str, ConfigFile] = {}
    for folder in folders:
        files.update(files_of(folder, member, role))
    return files
