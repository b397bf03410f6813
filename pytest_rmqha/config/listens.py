"""The ports that haproxy listens on, as its files say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_rmqha.config.folder import ConfigFile

_BIND = re.compile(r"\s*(?:bind|listen\s+\S+)\s+(\S+)")
_PORT = re.compile(r".*:(\d+)(?:-(\d+))?")
_NO_PORT = ("/", "unix@", "abns@", "fd@", "sockpair@")
MOST_OF_A_RANGE = 100
MANAGEMENT = 15672


@dataclass(frozen=True)
class Listens:
    """``unread``: ``FILE:LINE: TEXT`` of lines whose port can't be told (a variable)."""

    ports: frozenset[int]
    unread: tuple[str, ...]

    def lacks(self, port: int) -> bool:
        """Whether nothing listens there for sure: a line that can't be read may be the one."""
        return port not in self.ports and not self.unread


def listens(files: Iterable[ConfigFile]) -> Listens:
    """Every TCP port of the ``bind`` lines (and of the old ``listen NAME ADDRESS:PORT``) of each ``haproxy.cfg``.

    One line may name several addresses, separated by commas, and ranges of ports, of which the first hundred count. An
    address may be quoted: haproxy knows variables inside of double quotes alone.
    """
    ports: set[int] = set()
    unread: list[str] = []
    for file in files:
        if file.name != "haproxy.cfg":
            continue
        for number, line in enumerate(file.lines, 1):
            found = _BIND.match(line.split("#")[0])
            for address in re.sub("[\"']", "", found[1]).split(",") if found else ():
                if port := _PORT.fullmatch(address):
                    first = int(port[1])
                    ports |= set(range(first, min(int(port[2] or first), first + MOST_OF_A_RANGE - 1) + 1))
                elif not address.startswith(_NO_PORT):
                    unread.append(f"{'/'.join(file.origin.parts[-2:])}:{number}: {line.strip()}")
    return Listens(frozenset(ports), tuple(dict.fromkeys(unread)))
