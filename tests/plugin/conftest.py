"""A session of its own for each test, with the real plugin and a declared topology instead of docker."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from importlib.metadata import entry_points

import pytest

CONFTEST = """
from pytest_rmqha.topology import BalancerSpec, BrokerSpec, Topology


def pytest_rmqha_topology(config):
    brokers = tuple(BrokerSpec(f"rmq{n}", f"rmq{n}", f"198.18.40.{n}") for n in (1, 2, 3))
    balancers = tuple(BalancerSpec(f"lb{n}", f"lb{n}", f"198.18.40.{n + 10}") for n in (1, 2))
    return Topology("three", brokers, balancers, "198.18.40.46", "198.18.40.0/24", "198.18.40.1", "stack")
"""

HEAD = """
import pytest
from pytest_rmqha.checkers.verdict import Outcome, Verdict, judge
from pytest_rmqha.errors import NotHealed
from pytest_rmqha.session_report import MEASURED, Measured


def holds(reason="all 10 confirmed messages were delivered"):
    judge(Verdict(Outcome.HELD, "nothing_confirmed_is_lost", reason, ()))


def broken():
    judge(Verdict(Outcome.BROKEN, "nothing_confirmed_is_lost", "3 confirmed messages were never delivered", ()))
"""

Session = Callable[..., pytest.RunResult]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("RMQ_", "PYTEST_"))]:
        if name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)


@pytest.fixture
def session(pytester: pytest.Pytester, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Session:
    """``session(body, *arguments)``: runs pytest on a file with that body."""
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath), prepend=os.pathsep)
    pytester.makeconftest(CONFTEST)

    def run(body: str = "", *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(test_scenarios=HEAD + "\n\n" + textwrap.dedent(body))
        plugin = [] if installed() else ["-p", "pytest_rmqha.plugin"]
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *plugin, *arguments)

    return run


def installed() -> bool:
    """Whether pytest finds the plugin by its entry point."""
    return bool(entry_points(group="pytest11", name="rmqha"))
