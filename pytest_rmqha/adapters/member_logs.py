"""What the members' own logs say of a scenario: lines that nothing explains, and when brokers lost one another."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pytest_rmqha import clock
from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.logs import AllowedLog, diagnoses, told, unexpected
from pytest_rmqha.peers import peer_changes
from pytest_rmqha.timeline import Timeline


def unexplained(
    engine: Engine, roles: Mapping[str, str], since: float, allowed: Sequence[AllowedLog]
) -> tuple[str, ...]:
    """A sentence for each member (service -> role) whose log has such lines since then (monotonic seconds).

    The moment is told by the wall clock as it is now: it may have been set since the run began.
    """
    began = datetime.fromtimestamp(time.time() - (clock.now() - since), tz=UTC)
    found = []
    for service, role in roles.items():
        if lines := unexpected(role, engine.logs(service, since=began), allowed):
            found.append(told(service, lines))
    return tuple(found)


def diagnosed(engine: Engine, brokers: Sequence[str], since: float) -> tuple[str, ...]:
    """A sentence for each broker whose log since then (monotonic seconds) tells of a trouble that the field knows."""
    began = clock.utc(since)
    known = {service: diagnoses(engine.logs(service, since=began)) for service in brokers}
    return tuple(f"{service}: {'; '.join(found)}" for service, found in known.items() if found)


def put_peers_on(timeline: Timeline, engine: Engine, brokers: Sequence[str], since: float) -> None:
    """What each broker's log says of its peers since then (monotonic seconds), as ``peer`` events."""
    for service in brokers:
        for at, peer, state in peer_changes(engine.logs(service, since=clock.utc(since))):
            when = (at - clock.utc(0)).total_seconds()
            timeline.add("peer", f"{service}/{peer}", state, when, state=state)
