"""The live status of one session: what is shown (``status``), where (``display``), and what tells it.

``follow`` gives it the stack's timeline; ``rates_from`` a callable that it asks for the load's rates.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

import pytest

from pytest_rmqha.display import Display
from pytest_rmqha.estimates import Estimates
from pytest_rmqha.markers import MARKS
from pytest_rmqha.plays import plays_of
from pytest_rmqha.status import Status, Step
from pytest_rmqha.timeline import Timeline

OUTPUT: pytest.StashKey[int] = pytest.StashKey()
LIVE: pytest.StashKey[Display] = pytest.StashKey()


def prepare(config: pytest.Config) -> None:
    """While nothing is captured: keep a way to what the terminal reporter writes to."""
    fd = duplicate_of_output()
    if fd is not None:
        config.stash[OUTPUT] = fd


def begin(config: pytest.Config, items: Sequence[pytest.Item], estimates: Estimates) -> None:
    """Show these scenarios from now on; nothing is shown without a terminal reporter, or with -qq."""
    silent = not config.pluginmanager.hasplugin("terminalreporter") or config.get_verbosity() < -1
    if silent or OUTPUT not in config.stash or not items:
        return
    fd = config.stash[OUTPUT]
    status = Status(steps_of(items, estimates), estimates.bring_up().seconds)
    config.stash[LIVE] = Display(status, fd, terminal=is_terminal(fd, config, os.environ))
    config.pluginmanager.register(config.stash[LIVE], "rmqha-display")
    config.stash[LIVE].start()


def follow(config: pytest.Config, timeline: Timeline) -> None:
    """The phases that are shown are this timeline's."""
    if LIVE in config.stash:
        timeline.subscribe(config.stash[LIVE].status.heard)


def rates_from(config: pytest.Config, rates: Callable[[], str]) -> None:
    """``rates`` is asked in the display's own thread, up to twice a second, so it may not wait: see ``LoadRates``."""
    if LIVE in config.stash:
        config.stash[LIVE].status.rates = rates


def end(config: pytest.Config) -> None:
    if LIVE in config.stash:
        config.stash[LIVE].stop()
        del config.stash[LIVE]
    if OUTPUT in config.stash:
        os.close(config.stash[OUTPUT])
        del config.stash[OUTPUT]


def steps_of(items: Sequence[pytest.Item], estimates: Estimates) -> list[Step]:
    """In the order in which they run."""
    costs = {
        nodeid: (play.nodeids[0], estimates.of(play.name, play.nodeids, play.profile).seconds)
        for play in plays_of(items)
        for nodeid in play.nodeids
    }
    return [Step(item.nodeid, " ".join(item.stash[MARKS].ids), *costs[item.nodeid]) for item in items]


def duplicate_of_output() -> int | None:
    """A descriptor of what the terminal reporter writes to; to be asked while nothing is captured. None: it has none."""
    try:
        return os.dup(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return None


def is_terminal(fd: int, config: pytest.Config, environment: Mapping[str, str]) -> bool:
    """Whether one line may be drawn over and over: not where tests or log lines write to the terminal themselves."""
    shared = config.getoption("capture", "fd") == "no" or config.getoption("log_cli_level", None) or _log_cli(config)
    plain = environment.get("TERM", "dumb") in ("", "dumb") or environment.get("CI", "") not in ("", "0", "false")
    return os.isatty(fd) and not shared and not plain


def _log_cli(config: pytest.Config) -> bool:
    try:
        return bool(config.getini("log_cli"))
    except (KeyError, ValueError):
        return False
