"""What the members' own logs say of a scenario: lines that nothing explains, lost peers, new leaders."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pytest_rmqha import clock
from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.leader_changes import LeaderChange, in_order, leader_changes
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


def put_changes_on(timeline: Timeline, engine: Engine, brokers: Sequence[str], since: float, vhost: str) -> None:
    """What the brokers' logs say since then (monotonic seconds) of their peers and of leaders in a vhost, as events."""
    leaders: list[LeaderChange] = []
    for service in brokers:
        log = engine.logs(service, since=clock.utc(since))
        for at, peer, state in peer_changes(log):
            timeline.add("peer", f"{service}/{peer}", state, _monotonic(at), state=state)
        leaders += leader_changes(log)
    for change in in_order(leaders, vhost):
        timeline.add("leader", change.queue, change.node, _monotonic(change.at))


def _monotonic(at: datetime) -> float:
    return (at - clock.utc(0)).total_seconds()
