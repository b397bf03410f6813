"""Fixtures that hand out what there is already: of the session its settings, shape and clock, of the stage its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_rmqha.adapters.compose import read_config
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.budgets import Budgets
from pytest_rmqha.chaos import Chaos
from pytest_rmqha.cluster import Cluster
from pytest_rmqha.lease import Stage
from pytest_rmqha.links import Links
from pytest_rmqha.markers import MARKS
from pytest_rmqha.session_report import SETTINGS, TOPOLOGY
from pytest_rmqha.settings import Settings
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.topology import Topology
from pytest_rmqha.topology_reader import from_compose
from pytest_rmqha.vip import Vip


@pytest.fixture(scope="session")
def rmq_settings(request: pytest.FixtureRequest) -> Settings:
    """The checked options of this run."""
    return request.config.stash[SETTINGS]


@pytest.fixture(scope="session")
def rmq_topology(request: pytest.FixtureRequest, rmq_settings: Settings) -> Topology:
    """The declared shape of the stack, read through ``docker compose config``."""
    if TOPOLOGY in request.config.stash:
        return request.config.stash[TOPOLOGY]
    return from_compose(read_config(rmq_settings.topology_file, {}), rmq_settings.topology_name)


@pytest.fixture(scope="session")
def rmq_timeline(rmq_stack: Stack) -> Timeline:
    """Every event of the run on one clock."""
    return rmq_stack.timeline


@pytest.fixture
def rmq_budget(request: pytest.FixtureRequest) -> Budgets:
    """``rmq_budget("publishing", default)``: what ``rmq_slo`` states for this test, or else the default."""
    return Budgets(request.node.stash[MARKS].budgets)


@pytest.fixture
def rmq_cluster(rmq_stage: Stage) -> Cluster:
    """The brokers, in the scenario's own vhost."""
    return rmq_stage.cluster


@pytest.fixture
def rmq_balancers(rmq_stage: Stage) -> tuple[Balancer, ...]:
    """The balancers, in the order of the compose file."""
    return rmq_stage.balancers


@pytest.fixture
def rmq_vip(rmq_stage: Stage) -> Vip:
    """The virtual address."""
    return rmq_stage.vip


@pytest.fixture
def rmq_links(rmq_stage: Stage) -> Links:
    """The links between brokers."""
    return rmq_stage.links


@pytest.fixture
def rmq_chaos(rmq_stage: Stage) -> Chaos:
    """The only injector."""
    return rmq_stage.chaos


@pytest.fixture
def rmq_workload(rmq_stage: Stage) -> Callable[..., Any]:
    """``rmq_workload("queue", …)``: the standard load on declared queues."""
    return rmq_stage.workload
