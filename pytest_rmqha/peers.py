"""What a broker's own log says of its peers: when it lost one and when it had it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

LINE = re.compile(
    r"^(?P<at>\S+?)(?P<us>\.\d{1,6})?\d*Z .*?\b(?:(?P<app>rabbit on )?node) '?(?P<peer>[\w.-]+@[\w.-]+)'? (?P<state>down|up)\b"
)


def peer_changes(log: str) -> Iterator[tuple[datetime, str, str]]:
    """(UTC time, peer, ``down`` or ``up``) of each line; ``log`` with the engine's time in front of each line.

    Down is whatever comes first, the lost link or the stopped application; up is the application. Source:
    rabbit_node_monitor.erl, level info, the same text from 3.8 on.
    """
    for line in log.splitlines():
        found = LINE.match(line)
        if found and (found["state"] == "down" or found["app"]):
            at = datetime.fromisoformat(f"{found['at']}{found['us'] or ''}+00:00")
            yield at, found["peer"], found["state"]
