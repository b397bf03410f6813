"""The place where a run writes its evidence: refused before anything starts if it can't take it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from pytest_rmqha.errors import UserInputError

ROOM = 100 * 2**20
"""Bytes. A whole run with the evidence of many red scenarios stays below it."""
PROBE = 64 * 2**10


def refuse_unwritable(reports: Path) -> None:
    """UserInputError unless a file can be written where the folder is or will be. Leaves nothing behind."""
    place = next(one for one in (reports, *reports.parents) if _is_there(one))
    what = "--rmq-reports"
    if not place.is_dir():
        raise UserInputError(what, str(reports), "a folder that can be made", f"{place} is a file: name another place")
    try:
        free = shutil.disk_usage(place).free
        if free >= ROOM:
            _write(place)
    except OSError as error:
        raise UserInputError(
            what,
            f"{reports}, where nothing can be written ({error.strerror} in {place})",
            f"a folder that user id {os.geteuid()} can write to",
            "give this user the right to write there, or name another place",
        ) from None
    if free < ROOM:
        raise UserInputError(
            what,
            f"{reports} on a disk with {free / 2**20:.1f} MiB free",
            f"{ROOM // 2**20} MiB for the evidence of a run",
            "free some space, or name a place on another disk",
        )


def _is_there(place: Path) -> bool:
    return os.path.lexists(place)


def _write(place: Path) -> None:
    with tempfile.TemporaryFile(dir=place) as probe:
        probe.write(b"\0" * PROBE)
        probe.flush()
        os.fsync(probe.fileno())
