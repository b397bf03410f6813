"""A configuration that does not come up where the reference does: the stack's failure, said in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_rmqha.config.findings import Finding
from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.config.preflight import across
from pytest_rmqha.errors import InvariantNotUpheld, StackNotUp
from pytest_rmqha.topology import Topology
from pytest_rmqha.waiting import shortened

MOST = 2


def judged(error: StackNotUp, findings: Sequence[Finding]) -> InvariantNotUpheld:
    """What was seen, then the lines that the preflight had doubts about; the whole error stands below."""
    seen = shortened(str(error).splitlines()[0].removeprefix("waited in vain for "), 190)
    places = [f"{finding.place.rpartition('/config/')[2]} {finding.text}" for finding in findings[:MOST]]
    doubts = f"; see {', '.join(places)}" if places else ""
    return InvariantNotUpheld(f"this configuration does not come up: {seen}{doubts}\n{error}")


def doubts(topology: Topology, files: Mapping[str, list[ConfigFile]], version: str) -> list[Finding]:
    """What the preflight says of these files (member -> its own) without asking a program."""
    brokers = {broker.service: files[broker.service] for broker in topology.brokers}
    balancers = {balancer.service: files[balancer.service] for balancer in topology.balancers}
    return across(brokers, balancers, {b.service: b.address for b in topology.balancers}, version)
