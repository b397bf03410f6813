"""The folder of an earlier run: named by the run's name, or by its path."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_rmqha import setting_values as values

MANIFEST = "manifest.json"
ALLOWED = "the name of a run in the reports folder, or the path of a run's folder, with its manifest.json"


def read_run(text: str, base: Path) -> str | None:
    """A run's name stays a name; a path comes back absolute."""
    if not text:
        return None
    if "/" in text or text == "..":
        return str((base / Path(text).expanduser()).resolve())
    if not re.fullmatch(r"[\w.-]+", text):
        raise values.BadValue(ALLOWED, "copy the name from the reports folder")
    return text


def folder_of(run: str, reports: Path) -> Path:
    """A run by its name in ``reports``, or by the path of its folder or manifest."""
    if "/" not in run and run != "..":
        return reports / run
    place = Path(run)
    return place.parent if place.name == MANIFEST else place
