"""Everything that the judged files declare, and what of it each node has: names, and the properties that a restart tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.config.origin import loaded_definitions, topology_to_import

OURS = ("rmqha-admin", "rmqha-load")
DEFAULT_USER = "guest"
NAMED: Mapping[str, tuple[str, ...]] = {
    "vhosts": ("name",),
    "users": ("name",),
    "permissions": ("user", "vhost"),
    "policies": ("name", "vhost", "pattern", "apply-to"),
    "queues": ("name", "vhost", "durable"),
    "exchanges": ("name", "vhost", "type"),
    "bindings": ("source", "destination", "vhost", "routing_key"),
}


@dataclass(frozen=True)
class Whole:
    """``missing``: sentences, per node, with the place of what is missing in the file that declares it.

    ``able``: users of theirs with permissions somewhere. ``members``: node -> its peers.
    """

    declared: int
    missing: tuple[str, ...]
    able: frozenset[str]
    members: Mapping[str, frozenset[str]]


def looked_at(stack: Any, own: Path | None) -> Whole:
    """``own``: the folder that is judged, or None for the reference."""
    cluster: Cluster = stack.cluster
    bodies = list(_declared_in(stack, own))
    missing = [f"{thing} on {node}" for node in cluster.nodes for thing in _missing(bodies, node)]
    export = cluster.nodes[0].api.definitions()
    able = {p["user"] for p in export["permissions"]} - {*OURS, DEFAULT_USER}
    return Whole(
        sum(len(declares.body.get(kind, ())) for declares in bodies for kind in NAMED),
        tuple(missing),
        frozenset(able),
        {str(node): node.running_peers() for node in cluster.nodes},
    )


@dataclass(frozen=True)
class Declares:
    """A file of definitions, and the text that they were read from."""

    origin: Path
    text: str

    @property
    def body(self) -> Mapping[str, Any]:
        return json.loads(self.text)  # type: ignore[no-any-return]

    def place_of(self, kind: str, values: Iterable[Any]) -> str:
        """``file:line``: in the section, the line with the first of these values and most of the others; or the file."""
        first, *others = [json.dumps(value, ensure_ascii=False) for value in values] or [""]
        lines = self.text.splitlines()
        begins = next((number for number, line in enumerate(lines) if f'"{kind}"' in line), 0)
        named = [
            (sum(v in line for v in others), number)
            for number, line in enumerate(lines[begins:], begins)
            if first in line
        ]
        found = max(named, key=lambda one: (one[0], -one[1]), default=None)
        return f"{self.origin}:{found[1] + 1}" if found else str(self.origin)


def _declared_in(stack: Any, own: Path | None) -> Iterable[Declares]:
    brokers = [stack.config_files[broker.service] for broker in stack.topology.brokers]
    file = loaded_definitions(brokers[0])
    if file is not None:
        yield Declares(file.origin, file.content.decode())
    topology = topology_to_import(stack.folders, own, brokers)
    if topology is not None:
        yield Declares(topology, topology.read_text(encoding="utf-8"))


def _missing(bodies: Sequence[Declares], node: Node) -> Iterable[str]:
    export = {**node.api.definitions(), "queues": node.api.queues()}
    for declares in bodies:
        for kind, keys in NAMED.items():
            for declared in declares.body.get(kind, ()):
                stated = {key: declared[key] for key in keys if key in declared}
                if not any(all(o.get(key) == value for key, value in stated.items()) for o in export.get(kind, ())):
                    what = ", ".join(f"{key} {value}" for key, value in stated.items())
                    yield f"{kind}: {what} ({declares.place_of(kind, stated.values())})"
