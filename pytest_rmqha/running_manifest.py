"""The manifest of a run that goes on, written after each scenario: a run that is killed can be resumed."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha import manifest
from pytest_rmqha.run_folder import MANIFEST
from pytest_rmqha.session_report import LEFT_OUT, RECORDS, RUN, SETTINGS, LeftOut

_versions = functools.cache(manifest.tool_versions)


def built(config: pytest.Config, chosen: Sequence[str], exit_status: int | None) -> dict[str, Any]:
    """As it is now. ``chosen``: node ids of everything that was to run; ``exit_status`` None while the run goes on."""
    records = config.stash[RECORDS]
    left_out: list[LeftOut] = config.stash[LEFT_OUT]
    found = manifest.build(
        config.stash[RUN],
        config.stash[SETTINGS],
        records,
        left_out,
        finished=time.time(),
        exit_status=exit_status or 0,
        versions=_versions(),
    )
    done = {record.nodeid for record in records}
    found["not_reached"] = [nodeid for nodeid in chosen if nodeid not in done]
    if exit_status is None:
        found |= {"exit_status": None, "unfinished": True}
    return found


def note(config: pytest.Config, chosen: Sequence[str]) -> None:
    """After a scenario. What can't be written now is said aloud at the end of the session."""
    with contextlib.suppress(OSError):
        write(config.stash[RUN].folder, built(config, chosen, None))


def write(folder: Path, unfinished: dict[str, Any]) -> None:
    """In one step, so that who is killed in the middle leaves the one before. Without checksums: they come at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{MANIFEST}.part"
    part.write_text(json.dumps(unfinished, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(folder / MANIFEST)
