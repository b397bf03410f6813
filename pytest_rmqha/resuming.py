"""A session that resumes another one: its seed is taken over, and what is settled is found once the topology is known."""

from __future__ import annotations

import pytest

from pytest_rmqha import resumption
from pytest_rmqha.config_digest import config_digest
from pytest_rmqha.resumption import Resumed
from pytest_rmqha.runs import Manifest
from pytest_rmqha.session_report import RUN, SETTINGS, TOPOLOGY
from pytest_rmqha.settings import Settings

EARLIER: pytest.StashKey[Manifest | None] = pytest.StashKey()
RESUMED: pytest.StashKey[Resumed] = pytest.StashKey()


def begin(config: pytest.Config, settings: Settings) -> Settings:
    """The settings to go on with. UserInputError when there is no such run."""
    config.stash[EARLIER] = resumption.earlier(settings)
    return resumption.with_its_seed(settings, config.stash[EARLIER])


def settled(config: pytest.Config) -> Resumed:
    """What the earlier run has settled, nothing without one; the digest that a later run will ask for is noted."""
    settings, earlier = config.stash[SETTINGS], config.stash[EARLIER]
    digest = config_digest(settings, config.stash[TOPOLOGY])
    config.stash[RUN].facts[resumption.DIGEST] = digest
    found = resumption.resumed(earlier, settings, digest) if earlier is not None else Resumed("")
    config.stash[RESUMED] = found
    return found


def is_red(config: pytest.Config) -> bool:
    """Whether the earlier run has a verdict that keeps this session red."""
    return RESUMED in config.stash and bool(config.stash[RESUMED].red)


def lines(config: pytest.Config) -> list[str]:
    return config.stash[RESUMED].lines() if RESUMED in config.stash else []
