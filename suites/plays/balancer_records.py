"""What a balancer writes down about itself: keepalived's notify log and haproxy's own log, read and put in order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from plays.logs import lines_since
from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.timeline import Event

NOTIFY_LOG = "/var/log/keepalived/notify.log"
NOTICE = re.compile(r"(?P<at>\S+Z) INSTANCE \S+ (?P<state>MASTER|BACKUP|FAULT|STOP) \d+")
TRANSITION = re.compile(r"Server (?P<server>\S+/\S+) is (?P<state>UP|DOWN)\b")


@dataclass(frozen=True)
class Notice:
    """One line of the notify script; ``at`` in UTC. ``state`` is empty where the line is not one of the script's."""

    at: datetime
    state: str
    line: str


def notices(balancer: Balancer, since: float) -> tuple[Notice, ...]:
    """Lines that were written since then, in the order of the file. A line that can't be read is one with no state."""
    begin, found = clock.utc(since), []
    for line in balancer.containers.must(balancer.service, "cat", NOTIFY_LOG).splitlines():
        match = NOTICE.fullmatch(line.strip())
        at = datetime.fromisoformat(match["at"]) if match else clock.utc(clock.now())
        if at >= begin:
            found.append(Notice(at, match["state"] if match else "", line))
    return tuple(found)


def logged_transitions(balancer: Balancer, since: float) -> dict[str, tuple[str, ...]]:
    """server -> UP and DOWN in the order in which haproxy logged them; its console's copies begin otherwise."""
    return _in_order(
        (match["server"], match["state"])
        for line in lines_since(balancer.containers, balancer.service, since)
        if (match := TRANSITION.match(line))
    )


def seen_transitions(balancer: Balancer, events: tuple[Event, ...]) -> dict[str, tuple[str, ...]]:
    """The same from the timeline, of servers that were UP at first; a look that was not answered changes nothing."""
    prefix, last, pairs = f"{balancer}/", dict[str, str](), []
    for event in events:
        if event.kind != "backend" or not event.subject.startswith(prefix):
            continue
        server, state = event.subject.removeprefix(prefix), str(event.data.get("state"))
        if state in ("UP", "DOWN") and state != last.get(server, "UP"):
            last[server] = state
            pairs.append((server, state))
    return _in_order(pairs)


def _in_order(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for server, state in pairs:
        found[server] = (*found.get(server, ()), state)
    return found
