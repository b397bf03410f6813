"""Which files are somebody's own, which are filled in from the reference, and what the ones in force say.

The readers take what a check needs out of a file and no more; the programs' own checkers judge its syntax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_rmqha.config.folder import SCRIPT_FOLDER, TOPOLOGY_FILE, ConfigFile, layered, read_file
from pytest_rmqha.places import TARGETS
from pytest_rmqha.topology import Topology

Files = Sequence[ConfigFile]
ADVANCED = "advanced.config"
LOADS = ("load_definitions", "management.load_definitions", "definitions.local.path")
SECONDS = {"us": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SECTION = re.compile(r"(global|defaults|frontend|backend|listen)\b")
_TIMEOUT = re.compile(r"\s*timeout\s+(client|server)\s+(\d+)(us|ms|s|m|h|d|)\s*(?:#.*)?$")
_WORDS = re.compile(r"\"[^\"]*\"|'[^']*'|[{}]|[^\s{}]+")
_INCLUDE = re.compile(r"\s*include\s+[\"']?([^\s\"']+)")
_SETTING = re.compile(r"\s*([\w.$-]+)\s*=\s*(.*?)\s*(?:\s#.*)?$")


def is_own(file: ConfigFile, folder: Path) -> bool:
    """Whether a file was read from that folder."""
    return file.origin.is_relative_to(folder)


def origin_lines(folder: Path, files: Mapping[str, Files]) -> list[str]:
    """One line: which files are yours and which come from the reference. ``files``: member -> its files, as layered.

    A file that is yours on some members only is named with these members on both sides: such mixtures are rarely meant.
    """
    names: dict[str, tuple[list[str], list[str]]] = {}
    for member, of_member in files.items():
        for file in of_member:
            sides = names.setdefault(file.name, ([], []))
            side = sides[0 if is_own(file, folder) else 1]
            if member not in side:
                side.append(member)
    yours = _side({name: mine if theirs else [] for name, (mine, theirs) in names.items() if mine})
    filled = _side({name: theirs if mine else [] for name, (mine, theirs) in names.items() if theirs})
    return [
        f"configuration {folder}: {yours or 'nothing'} yours" + (f"; {filled} from the reference" if filled else "")
    ]


def not_judged(own: Path, topology: Topology) -> list[str]:
    """One line, or none: files of theirs for a role that this topology has not."""
    if topology.balancers:
        return []
    names = sorted(layered([own], "", "balancer").keys() & TARGETS["balancer"].keys())
    return [f"not judged: {', '.join(names)} (topology {topology.name} has no balancer)"] if names else []


def left_out(folders: Sequence[Path], own: Path, files: Mapping[str, Files]) -> list[str]:
    """One line, or none: what of ours is not filled in although theirs lacks it. ``files``: broker -> its files, as layered."""
    ours = [folder for folder in folders if folder != own]
    found = []
    theirs = [of for of in files.values() if (conf := named(of, "rabbitmq.conf")) is not None and is_own(conf, own)]
    if any((folder / ADVANCED).is_file() for folder in ours) and any(named(of, ADVANCED) is None for of in theirs):
        found.append(f"{ADVANCED} (goes with our rabbitmq.conf)")
    if topology_to_import(ours, None, []) is not None and topology_to_import(folders, own, files.values()) is None:
        found.append(f"{TOPOLOGY_FILE} (goes with our definitions)")
    return [f"left out of the reference: {', '.join(found)}"] if found else []


def _side(names: Mapping[str, Iterable[str]]) -> str:
    shown = [(name, ", ".join(members)) for name, members in names.items()]
    return ", ".join(f"{name} (of {members})" if members else name for name, members in shown)


def conf_values(file: ConfigFile) -> dict[str, tuple[int, str]]:
    """``key -> (line, value)`` of a rabbitmq.conf; the last one counts, as cuttlefish has it."""
    found: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(file.lines, 1):
        if not line.lstrip().startswith("#") and (setting := _SETTING.match(line)):
            found[setting[1]] = (number, setting[2].strip("'\""))
    return found


def named(files: Files, name: str) -> ConfigFile | None:
    """A member's file of that name, at its usual place."""
    return next((file for file in files if file.name == name), None)


def loaded_definitions(files: Files) -> ConfigFile | None:
    """What a broker imports when it boots: the file that its rabbitmq.conf names; None if that is none of these."""
    conf = named(files, "rabbitmq.conf")
    values = conf_values(conf) if conf else {}
    for place in (PurePosixPath(values[key][1]) for key in LOADS if key in values):
        for file in files:
            target = PurePosixPath(file.target)
            if target == place or (target.parent == place and target.suffix == ".json"):
                return file
    return None


def topology_to_import(folders: Sequence[Path], own: Path | None, brokers: Iterable[Files]) -> Path | None:
    """The ``topology.json`` to import once the cluster has formed, or None.

    Ours goes with our definitions only: its vhost is declared there, and queues of ours among somebody's own would be
    judged as theirs. So it is left out as soon as one broker loads definitions of its own, or none. A ``topology.json``
    in their folder is theirs, and imported.
    """
    if own is not None and (own / TOPOLOGY_FILE).is_file():
        return own / TOPOLOGY_FILE
    if own is not None:
        loaded = [loaded_definitions(files) for files in brokers]
        if any(file is None or is_own(file, own) for file in loaded):
            return None
    found = [folder / TOPOLOGY_FILE for folder in folders if (folder / TOPOLOGY_FILE).is_file()]
    return found[-1] if found else None


def imported_file(folders: Sequence[Path], own: Path | None, brokers: Iterable[Files]) -> ConfigFile | None:
    """``topology_to_import``, read."""
    path = topology_to_import(folders, own, brokers)
    return read_file(path, "") if path is not None else None


def definitions_of(file: ConfigFile) -> Mapping[str, list[Mapping[str, Any]]]:
    """The sections of a definitions file as lists of objects; empty where it can't be read that way."""
    try:
        parsed = json.loads(file.content)
    except ValueError:
        return {}
    body = parsed if isinstance(parsed, dict) else {}
    return {k: [o for o in v if isinstance(o, dict)] for k, v in body.items() if isinstance(v, list)}


def idle_limits(haproxy: ConfigFile) -> Iterator[tuple[int, str, float]]:
    """(line, "client" or "server", seconds) of every section of a haproxy.cfg that isn't HTTP."""
    section: list[tuple[int, str, float]] = []
    http = False
    for number, line in enumerate([*haproxy.lines, "global"], 1):
        if _SECTION.match(line):
            yield from () if http else section
            section, http = [], False
        elif line.split()[:2] == ["mode", "http"]:
            http = True
        elif limit := _TIMEOUT.match(line):
            section.append((number, limit[1], int(limit[2]) * SECONDS[limit[3]]))


@dataclass(frozen=True)
class VrrpInstance:
    """``values``: keyword -> (line, value); addresses of ``peers`` and ``vips`` without their prefix length."""

    name: str
    values: Mapping[str, tuple[int, str]]
    peers: frozenset[str]
    vips: frozenset[str]


@dataclass(frozen=True)
class Vrrp:
    """A keepalived.conf. ``security``: the line that switches script security on, or 0."""

    file: ConfigFile
    security: int
    script_user: bool
    instances: tuple[VrrpInstance, ...]


def keepalived_files(files: Files) -> list[ConfigFile]:
    """What a balancer's keepalived reads of these: every .conf in its folder, and what one of them includes from elsewhere."""
    found = [f for f in files if (at := PurePosixPath(f.target)).is_relative_to(SCRIPT_FOLDER) and at.suffix == ".conf"]
    for file in found:
        included = {include[1] for line in file.lines if (include := _INCLUDE.match(line))}
        found += [f for f in files if f.target in included and f not in found]
    return found


def vrrp_of(files: Files) -> Vrrp | None:
    """A balancer's keepalived.conf, with what it includes among these files; None if it has none."""
    file = named(files, "keepalived.conf")
    if file is None:
        return None
    settings = list(_settings(file, {f.target: f for f in files}, []))
    top = {words[0]: number for number, _, words in settings}
    instances = []
    for name in dict.fromkeys(block[0] for _, block, _ in settings if block and block[0].startswith("vrrp_instance")):
        inside = [(number, block[1:], words) for number, block, words in settings if block[:1] == (name,)]
        instances.append(
            VrrpInstance(
                name.partition(" ")[2],
                {
                    w[0]: (number, w[1])
                    for number, block, w in inside
                    if len(w) > 1 and block in ((), ("authentication",))
                },
                frozenset(words[0] for _, block, words in inside if block == ("unicast_peer",)),
                frozenset(w[0].partition("/")[0] for _, block, w in inside if block == ("virtual_ipaddress",)),
            )
        )
    user = "script_user" in top or any(w[0] == "user" for _, b, w in settings if b and b[0].startswith("vrrp_script"))
    return Vrrp(file, top.get("enable_script_security", 0), user, tuple(instances))


def _settings(
    file: ConfigFile, places: Mapping[str, ConfigFile], block: list[str], depth: int = 0
) -> Iterator[tuple[int, tuple[str, ...], list[str]]]:
    """(line, blocks around it, words) of a keepalived.conf; ``block`` is what is open where the file begins."""
    for number, line in enumerate(file.lines, 1):
        words: list[str] = []
        for word in (w.strip("\"'") for w in _WORDS.findall(re.sub(r"(?:^|\s)[#!].*", "", line))):
            if word == "{":
                block.append(" ".join(words))
                words = []
            elif word == "}":
                if words:
                    yield number, tuple(block), words
                words = []
                del block[-1:]
            else:
                words.append(word)
        if words[:1] == ["include"] and len(words) > 1 and words[1] in places and depth < 10:
            yield from _settings(places[words[1]], places, block, depth + 1)
        elif words:
            yield number, tuple(block), words
