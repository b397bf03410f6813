"""What a broker's own log says of leaders: which node a quorum queue has elected, which mirror was promoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

LOGGED = re.compile(r"^(?P<at>\S+?)(?P<us>\.\d{1,6})?\d*Z ")
ELECTED = re.compile(
    r"queue '(?P<queue>[^']+)' in vhost '(?P<vhost>[^']+)': detected a new leader \{'?[^',]+'?,'?(?P<node>[^}']+)'?\} "
    r"in term (?P<term>\d+)"
)
PROMOTED = re.compile(
    r"queue '(?P<queue>[^']+)' in vhost '(?P<vhost>[^']+)': Promoting (?:mirror|slave) "
    r"<(?P<node>[^>]+?)(?:\.\d+){3}> to (?:leader|master)"
)


@dataclass(frozen=True)
class LeaderChange:
    """``at``: UTC. ``term``: Raft's, None for a mirror."""

    at: datetime
    vhost: str
    queue: str
    node: str
    term: int | None = None


def leader_changes(log: str) -> Iterator[LeaderChange]:
    """Of each line; ``log`` with the engine's time in front of each line.

    Every follower says who its leader is, and says it again when it returns. Source: ra_server_proc.erl and
    rabbit_mirror_queue_slave.erl, level info; 3.8 calls a mirror a slave.
    """
    for line in log.splitlines():
        found = ELECTED.search(line) or PROMOTED.search(line)
        moment = LOGGED.match(line)
        if found and moment:
            at = datetime.fromisoformat(f"{moment['at']}{moment['us'] or ''}+00:00")
            term = found.groupdict().get("term")
            yield LeaderChange(at, found["vhost"], found["queue"], found["node"], int(term) if term else None)


def in_order(changes: Iterable[LeaderChange], vhost: str) -> list[LeaderChange]:
    """Those of one vhost, each once: several brokers tell the same, and an old term is told late."""
    told: dict[str, LeaderChange] = {}
    found = []
    for change in sorted(changes, key=lambda change: change.at):
        known = told.get(change.queue)
        is_late = known is not None and (change.term or 0) < (known.term or 0)
        if change.vhost != vhost or is_late or (known and (known.node, known.term) == (change.node, change.term)):
            continue
        told[change.queue] = change
        found.append(change)
    return found
