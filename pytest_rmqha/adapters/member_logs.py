"""What the members' own logs say of a scenario: lines that nothing explains, lost peers, new leaders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pytest_rmqha import clock
from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.leader_changes import LeaderChange, in_order, leader_changes
from pytest_rmqha.logs import AllowedLog, diagnoses, told, unexpected
from pytest_rmqha.peers import peer_changes
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.topology import Topology


@dataclass(frozen=True)
class MemberLogs:
    """Read from the engine at each question; ``since`` is in monotonic seconds."""

    topology: Topology
    engine: Engine
    timeline: Timeline

    def unexplained(self, since: float, allowed: Sequence[AllowedLog]) -> tuple[str, ...]:
        """A sentence for each member whose log since then has lines that nothing explains.

        The moment is told by the wall clock as it is now: it may have been set since the run began.
        """
        began = datetime.fromtimestamp(time.time() - (clock.now() - since), tz=UTC)
        roles = [(b, "broker") for b in self.topology.brokers] + [(b, "balancer") for b in self.topology.balancers]
        found = []
        for member, role in roles:
            if lines := unexpected(role, self.engine.logs(member.service, since=began), allowed):
                found.append(told(member.service, lines))
        return tuple(found)

    def diagnosed(self, since: float) -> tuple[str, ...]:
        """A sentence for each broker whose log since then tells of a trouble that the field knows."""
        began = clock.utc(since)
        known = {b.service: diagnoses(self.engine.logs(b.service, since=began)) for b in self.topology.brokers}
        return tuple(f"{service}: {'; '.join(found)}" for service, found in known.items() if found)

    def put_changes(self, since: float, vhost: str) -> None:
        """On the timeline: what the brokers' logs say since then of their peers and of leaders in a vhost."""
        leaders: list[LeaderChange] = []
        for broker in self.topology.brokers:
            log = self.engine.logs(broker.service, since=clock.utc(since))
            for at, peer, state in peer_changes(log):
                self.timeline.add("peer", f"{broker.service}/{peer}", state, _monotonic(at), state=state)
            leaders += leader_changes(log)
        for change in in_order(leaders, vhost):
            self.timeline.add("leader", change.queue, change.node, _monotonic(change.at))


def _monotonic(at: datetime) -> float:
    return (at - clock.utc(0)).total_seconds()
