"""What a member said since a moment: its container's log, by the engine's own time stamps."""

from __future__ import annotations

from pytest_rmqha import clock
from pytest_rmqha.outside import Containers

MOST = 20_000
STAMP = "%Y-%m-%dT%H:%M:%S.%f"


def lines_since(containers: Containers, service: str, since: float) -> tuple[str, ...]:
    """Lines without their stamps; ``since`` in monotonic seconds. At most the last 20 000 lines are looked through."""
    begin = clock.utc(since).strftime(STAMP)
    said = containers.logs(service, MOST).splitlines()
    return tuple(line.partition(" ")[2] for line in said if line[: len(begin)] >= begin)
