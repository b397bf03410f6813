"""A configuration folder: ordinary files as an operator has them, read byte for byte and dealt out to the members.

Layout: files at the top are everybody's; a sub-folder named after a member (service or host name) holds what is that
member's own. A file that a member's files name by an absolute path (a script, a certificate, an error page, an included
file) is found by its base name and stands at that very path. Scripts keep the executable bit they have.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.places import TARGETS
from pytest_rmqha.topology import Topology

SCRIPT_FOLDER = "/etc/keepalived"
TOPOLOGY_FILE = "topology.json"
"""Queues, exchanges and bindings that are imported once the cluster has formed; no member reads it."""
NOT_CONFIGURATION = re.compile(r"\..*|README.*|LICEN[CS]E.*|.*\.md", re.IGNORECASE)

_COMMENT = re.compile(rb"[ \t]*[#!%]")
_PATH = re.compile(rb"(?<![\w./:~*-])/(?:[\w.+@%-]+/)*[\w+@%-][\w.+@%-]*")

# What belongs to the system or is made at run time is not missing from a configuration folder.
_FILES = re.compile(r"/(?:etc|usr|opt|srv|home|root|bin|sbin|lib|lib64|mnt|media|var)/")
_MADE_AT_RUN_TIME = re.compile(r"/(?:var/(?:run|log|lib|cache|tmp|spool)|usr/share/zoneinfo|etc/default)(?:/|$)")


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

    @property
    def lines(self) -> list[str]:
        """Its text, whatever bytes it has; the first one is line 1 in every message."""
        return [line.decode(errors="replace") for line in self.content.splitlines()]


def digests(files: Iterable[ConfigFile]) -> dict[str, str]:
    """name -> SHA-256 of one member's files; where two have the same name, the place in the container is the name."""
    known = list(files)
    names = Counter(file.name for file in known)
    return {file.name if names[file.name] == 1 else file.target: file.sha256 for file in known}


def named_paths(content: bytes) -> Iterator[tuple[int, str]]:
    """(line number, absolute path) for each path that a file names outside of its comments.

    It knows no syntax: a URI such as ``/haproxy-stats`` is found, too, and whoever asks decides what a path is.
    """
    for number, line in enumerate(content.splitlines(), 1):
        if not _COMMENT.match(line):
            yield from ((number, found.decode().rstrip(".")) for found in _PATH.findall(line))


def paths_wanted(files: Iterable[ConfigFile]) -> Iterator[tuple[ConfigFile, int, str]]:
    """(file, line number, path) of what configuration files (not scripts) name and what has to be there at the start."""
    for file in files:
        if PurePosixPath(file.target).suffix in (".conf", ".cfg", ".config"):
            for number, path in named_paths(file.content):
                if _FILES.match(path) and not _MADE_AT_RUN_TIME.match(path):
                    yield file, number, path


def layered(
    folders: Sequence[Path], member: str, role: str, hostname: str = "", own: Path | None = None
) -> Mapping[str, ConfigFile]:
    """Files of a member of a role ("broker" or "balancer"); a later folder (a line, a variant, the user's) wins.

    Our advanced.config goes with our rabbitmq.conf only (``own``: the folder that is judged): its short tick time would hide
    how late their own stack notices. A file of ours that is missing in ``own`` stands where ours stands, never at another
    place that a file of theirs names.
    Within a folder the member's own file wins over everybody's. The key is the file's name; a file that is named at a
    second place has that path as a further key.
    """
    paths: dict[str, Path] = {}
    for folder in folders:
        brought = {
            path.name: path
            for place in (folder, folder / (hostname or member), folder / member)
            for path in _files_in(place)
        }
        if folder == own and "rabbitmq.conf" in brought:
            paths.pop("advanced.config", None)
        paths.update(brought)
    known = TARGETS[role]
    found = {name: read_file(path, known[name]) for name, path in paths.items() if name in known}
    _add_named(found, paths, list(found.values()), own)
    if role == "balancer":
        scripts = [path for name, path in paths.items() if name.endswith(".sh") and name not in found]
        loose = {path.name: read_file(path, f"{SCRIPT_FOLDER}/{path.name}") for path in scripts}
        found |= loose
        _add_named(found, paths, list(loose.values()), own)
    return found


def _add_named(
    found: dict[str, ConfigFile], paths: Mapping[str, Path], unread: list[ConfigFile], own: Path | None
) -> None:
    """What ``unread`` names, what that names, and so on; what a file of theirs names is theirs."""
    targets = {file.target for file in found.values()}
    while unread:
        names = unread.pop()
        is_theirs = own is not None and names.origin.is_relative_to(own)
        for _, target in named_paths(names.content):
            name = PurePosixPath(target).name
            is_ours = own is not None and name in paths and not paths[name].is_relative_to(own)
            if name in paths and target not in targets and not (is_theirs and is_ours):
                file = read_file(paths[name], target)
                found[target if name in found else name] = file
                targets.add(target)
                unread.append(file)


def files_of(folder: Path, member: str, role: str) -> Mapping[str, ConfigFile]:
    """What one folder holds for one member."""
    return layered([folder], member, role)


def _files_in(place: Path) -> list[Path]:
    """A link to nothing is one of them: reading it says so."""
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.is_file() or (path.is_symlink() and not path.exists()))


def _folders_in(place: Path) -> list[Path]:
    return sorted(p for p in place.iterdir() if p.is_dir() and not p.name.startswith("."))


def read_file(path: Path, target: str) -> ConfigFile:
    """UserInputError when it can't be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserInputError(
            "configuration file", str(path), "a readable file", f"make it readable ({error.strerror})"
        ) from None
    return ConfigFile(path.name, path, target, content, 0o755 if path.stat().st_mode & 0o100 else 0o644)


def configuration_in(folder: Path) -> list[Path]:
    """Every file that looks like configuration, at the top and in the sub-folders; hidden ones and notes do not."""
    found = [path for place in (folder, *_folders_in(folder)) for path in _files_in(place)]
    return [path for path in found if not NOT_CONFIGURATION.fullmatch(path.name)]


def unread(folder: Path) -> list[Path]:
    """Files that no member would read, whoever the members are: they would go untested."""
    read = {folder / TOPOLOGY_FILE}
    for place in (folder, *_folders_in(folder)):
        for role in TARGETS:
            read |= {file.origin for file in files_of(folder, place.name, role).values()}
    return [path for path in configuration_in(folder) if path not in read]


def check_folder(folder: Path, topology: Topology) -> None:
    """Refuses a sub-folder that names no member, two that name the same one, what its member would not read, and what every
    member that could read it has a file of its own for.
    """
    members = _listed(m.service if m.service == m.hostname else f"{m.service} ({m.hostname})" for m in topology.members)
    owners: dict[str, Path] = {}
    for place in _folders_in(folder):
        member = next((m for m in topology.members if place.name in (m.service, m.hostname)), None)
        if member is None:
            raise UserInputError(
                f"sub-folder of the configuration {folder}",
                place.name,
                f"a member of topology {topology.name}: {members}",
                "rename it after a service or host name of the compose file, or move its files to the top: "
                "a file that is named by an absolute path is found there by its base name",
            )
        if member.service in owners:
            raise UserInputError(
                f"sub-folders of the configuration {folder}",
                f"{owners[member.service].name} and {place.name}",
                f"one sub-folder for member {member.service}",
                "merge the two",
            )
        owners[member.service] = place
    for member in (m for m in topology.members if m.service in owners):
        role, place = "broker" if member in topology.brokers else "balancer", owners[member.service]
        read = {file.origin for file in layered([folder], member.service, role, member.hostname).values()}
        lost = [path for path in _files_in(place) if path not in read and not NOT_CONFIGURATION.fullmatch(path.name)]
        lost += _folders_in(place)
        if lost:
            raise UserInputError(
                f"configuration {folder}",
                _listed(str(path.relative_to(folder)) for path in lost[:5]),
                f"files that {member.service}, a {role}, reads: {_listed(TARGETS[role])}, or named in one by absolute path",
                "move it to the member that reads it, name it by its absolute path, or move it out",
            )

    _refuse_shadowed(folder, topology)


def _refuse_shadowed(folder: Path, topology: Topology) -> None:
    """A file at the top that each member has one of its own for would be taken for what runs."""
    roles = [(m, "broker") for m in topology.brokers] + [(m, "balancer") for m in topology.balancers]
    read = {file.origin for m, role in roles for file in layered([folder], m.service, role, m.hostname).values()}
    there = {role for _, role in roles}
    could = {file.origin for role in there for file in files_of(folder, "", role).values()}
    shadowed = [path for path in configuration_in(folder) if path in could - read]
    if shadowed:
        name = shadowed[0].name
        owners = [m.service for m, _ in roles if any((folder / at / name).is_file() for at in (m.service, m.hostname))]
        raise UserInputError(
            f"configuration {folder}",
            f"{name}, which no member reads: {_listed(owners)} have their own",
            "files at the top that at least one member reads",
            f"take {name} out of the top, or out of the members' folders",
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
