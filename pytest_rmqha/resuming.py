"""A session that resumes another one: its seed is taken over, and what is settled is found once the topology is known."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from pytest_rmqha import ingredients, resumption
from pytest_rmqha.code_digest import code_digest
from pytest_rmqha.config_digest import config_digest
from pytest_rmqha.errors import UserInputError
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
    """What the earlier run has settled, nothing without one; the digests that a later run will ask for are noted."""
    settings, earlier = config.stash[SETTINGS], config.stash[EARLIER]
    shape = config.stash[TOPOLOGY]
    digest = config_digest(settings, shape)
    # Of several conftest files sys.modules has the last one only.
    code = code_digest([*sys.modules.values(), *config.pluginmanager.get_plugins()], config.rootpath)
    images = ingredients.asked(settings, shape)
    facts = config.stash[RUN].facts
    facts |= {resumption.DIGEST: digest, resumption.CODE: code, ingredients.ASKED: images}
    found = Resumed("")
    if earlier is not None:
        found = resumption.resumed(earlier, settings, digest, code, images)
        facts[ingredients.SETTLED_ON] = ingredients.taken_over(earlier)
    config.stash[RESUMED] = found
    return found


def refuse_another_stack(config: pytest.Config) -> None:
    """UserInputError when this run's stack, whose facts are known now, is not made of what the earlier one's was."""
    earlier, facts = config.stash[EARLIER], config.stash[RUN].facts
    if earlier is None:
        return
    try:
        resumption.refuse_another_stack(earlier, facts)
    except UserInputError:
        for key in ingredients.OF_A_STACK:
            facts.pop(key, None)
        raise


def is_asked(config: pytest.Config) -> bool:
    return config.stash[EARLIER] is not None


def refuse_nothing(config: pytest.Config) -> None:
    """UserInputError of a session that resumes a run and has no scenario: its green would take that run's red away."""
    earlier = config.stash[EARLIER]
    assert earlier is not None
    raise UserInputError(
        resumption.OPTION,
        f"{earlier['run']}, and no scenario is chosen",
        "a session with everything that run did not settle",
        f"give the paths, -k, -m and --rmq-shard of that run, or run without {resumption.OPTION}",
    )


def is_red(config: pytest.Config) -> bool:
    """Whether the earlier run has a verdict that keeps this session red."""
    return RESUMED in config.stash and bool(config.stash[RESUMED].red)


def refuse_less(config: pytest.Config, runs: Sequence[pytest.Item]) -> None:
    """UserInputError when this session leaves out what the earlier one still owes: its green would say nothing of that."""
    found = config.stash[RESUMED]
    lacking = sorted(found.owed - {item.nodeid for item in runs})
    if lacking:
        more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
        raise UserInputError(
            resumption.OPTION,
            f"{found.run}, without {', '.join(lacking[:5])}{more}",
            "a session with everything that run did not settle",
            "give the paths, -k, -m and --rmq-shard of that run",
        )


def lines(config: pytest.Config) -> list[str]:
    return config.stash[RESUMED].lines() if RESUMED in config.stash else []
