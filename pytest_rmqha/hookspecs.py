"""Hooks for somebody's own conftest.py: more scenarios and capabilities, another topology, the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_rmqha.capabilities import Lack
    from pytest_rmqha.catalogue import Scenario
    from pytest_rmqha.session_report import ScenarioRecord
    from pytest_rmqha.topology import Topology


@pytest.hookspec(firstresult=True)
def pytest_rmqha_topology(config: pytest.Config) -> Topology | None:
    """The stack's shape, asked once a session if scenarios were collected; None leaves it to the compose file."""


@pytest.hookspec
def pytest_rmqha_scenarios(config: pytest.Config) -> Iterable[Scenario]:  # type: ignore[empty-body]
    """Scenario ids beside the catalogue's. Use chapters from 10 on and an id that the catalogue has not."""


@pytest.hookspec
def pytest_rmqha_capabilities(config: pytest.Config) -> Mapping[str, Lack]:  # type: ignore[empty-body]
    """Names for ``rmq_requires`` beside ours: name -> function of (topology, line): why it is lacking, or ""."""


@pytest.hookspec
def pytest_rmqha_scenario_ended(config: pytest.Config, record: ScenarioRecord) -> None:
    """A scenario has its outcome, teardown included."""


@pytest.hookspec
def pytest_rmqha_manifest(config: pytest.Config, manifest: dict[str, Any]) -> None:
    """The manifest is about to be written; add what belongs to the run."""
