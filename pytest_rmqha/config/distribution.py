"""The port of Erlang's distribution, as a broker's files say: the links between brokers go through proxies at one port. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.errors import UserInputError

_COMMENT = re.compile(r"\s*[#%]")
_STATED = {
    "rabbitmq.conf": re.compile(r"distribution\.listener\.port_range\.(?:min|max)\s*=\s*(\d+)"),
    "advanced.config": re.compile(r"\binet_dist_listen_(?:min|max)\W+(\d+)"),
    "rabbitmq-env.conf": re.compile(r"(?:\binet_dist_listen_(?:min|max)\W+|DIST_PORT\s*=\s*[\"']?)(\d+)"),
}


def refuse_another_port(files: Iterable[ConfigFile], port: int) -> None:
    """UserInputError where a file of a broker states another distribution port than ``port``: nobody would forward it."""
    for file in files:
        stated = _STATED.get(file.name)
        for number, line in enumerate(file.lines if stated else (), 1):
            ports = stated.findall(line) if stated and not _COMMENT.match(line) else []
            if others := [other for other in ports if int(other) != port]:
                raise UserInputError(
                    f"distribution port in {file.origin}:{number}",
                    others[0],
                    f"{port}, RabbitMQ's own: the link proxies between brokers listen there and at epmd's port only",
                    "leave the port out for this run: it decides nothing that is judged here",
                )
