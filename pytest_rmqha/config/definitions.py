"""Definitions, before a broker imports them: what keeps it from doing so, and policies that do nothing. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pytest_rmqha.config.findings import ERROR, Finding, about
from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.config.origin import Files, definitions_of, loaded_definitions

DEFINITIONS = "rabbit_definitions.erl"
NEEDED: Mapping[str, tuple[str, ...]] = {
    "users": ("name",),
    "vhosts": ("name",),
    "permissions": ("user", "vhost", "configure", "write", "read"),
    "policies": ("vhost", "name", "pattern", "definition"),
    "queues": ("vhost", "name", "durable", "auto_delete"),
    "exchanges": ("vhost", "name", "type", "durable", "auto_delete"),
    "bindings": ("vhost", "source", "destination", "destination_type", "routing_key"),
}


def major(line: str) -> int:
    return int(line.partition(".")[0])


def definitions_said(files: Files) -> list[Finding]:
    """What keeps a broker from importing the definitions that its rabbitmq.conf names."""
    file = loaded_definitions(files)
    return [] if file is None else importable(file)


def importable(file: ConfigFile) -> list[Finding]:
    """What keeps definitions from being imported; a key that lacks is a warning.

    A broker takes a key that isn't there as ``undefined``; what that leads to depends on the key (rabbit_definitions.erl).
    """
    try:
        parsed = json.loads(file.content.decode())
    except json.JSONDecodeError as error:
        return [about(file, error.lineno, f"no JSON: {error.msg} (column {error.colno})", "JSON", ERROR)]
    except UnicodeDecodeError as error:
        return [about(file, 0, f"no JSON: {error.reason} at byte {error.start}", "JSON", ERROR)]
    if not isinstance(parsed, dict):
        return [about(file, 0, "a JSON object was expected at the top", DEFINITIONS, ERROR)]
    found = []
    for section, needed in NEEDED.items():
        entries = parsed.get(section, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            found.append(about(file, 0, f"{section}: a list of objects was expected", DEFINITIONS, ERROR))
            continue
        for entry in entries:
            if lacking := [key for key in needed if key not in entry]:
                name = entry.get("name", entry.get("user", "one of them"))
                found.append(about(file, 0, f"{section}: {name}: without {', '.join(lacking)}", DEFINITIONS))
    return found


def policies_said(files: Files, line: str) -> list[Finding]:
    """Policies that reach no queue of the same definitions, and keys that 4.0 removed together with mirroring."""
    file = loaded_definitions(files)
    if file is None:
        return []
    body = definitions_of(file)
    queues = [(str(q.get("vhost")), str(q.get("name"))) for q in body.get("queues", [])]
    found: list[Finding] = []
    for policy in body.get("policies", []):
        name, vhost, pattern = (str(policy.get(key, "")) for key in ("name", "vhost", "pattern"))
        definition = policy.get("definition")
        gone = sorted(key for key in definition if key.startswith("ha-")) if isinstance(definition, dict) else []
        if gone and major(line) >= 4:
            text = f"policy {name}: {', '.join(gone)} were removed in 4.0: its classic queues have one copy"
            found.append(about(file, 0, text, "RabbitMQ 4.0 release notes"))
        if not queues or policy.get("apply-to") == "exchanges":
            continue
        try:
            reached = [where for where, queue in queues if re.search(pattern, queue)]
        except re.error:
            continue
        if vhost not in reached:
            other = f"; in vhost {', '.join(dict.fromkeys(reached))} it would match" if reached else ""
            text = f"policy {name}: {pattern} matches none of the queues of vhost {vhost} here{other}"
            found.append(about(file, 0, text, "rabbitmq.com/docs/parameters"))
    return found
