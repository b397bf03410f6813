"""pytest's ini file, found as pytest finds it and read without pytest: where it is, and what it says."""

from __future__ import annotations

import configparser
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PLACES: Mapping[str, tuple[str, ...]] = {
    "pytest.toml": ("pytest",),
    ".pytest.toml": ("pytest",),
    "pytest.ini": ("pytest",),
    ".pytest.ini": ("pytest",),
    "pyproject.toml": ("tool.pytest.ini_options", "tool.pytest"),
    "tox.ini": ("pytest",),
    "setup.cfg": ("tool:pytest",),
}
"""File name -> tables that may hold pytest's options, in the order in which pytest looks."""
WITHOUT_TABLE = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
"""Files that count even if they say nothing."""


@dataclass(frozen=True)
class IniFile:
    """``path`` is None where there is none. ``values``: option -> its text."""

    path: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    addopts: tuple[str, ...] = ()


def find(start: Path) -> IniFile:
    """The nearest one in a folder or above it."""
    for folder in (start, *start.parents):
        for name in PLACES:
            found = read(folder / name)
            if found.path is not None:
                return found
    return IniFile()


def read(path: Path) -> IniFile:
    """An empty one where the file is not there, says nothing of pytest, or can't be read: pytest will say so itself."""
    try:
        text = path.read_text(encoding="utf-8")
        table = _of_toml(path.name, text) if path.suffix == ".toml" else _of_ini(path.name, text)
    except (OSError, ValueError, configparser.Error):
        return IniFile()
    if table is None:
        return IniFile(path) if path.name in WITHOUT_TABLE else IniFile()
    values = {name: value for name, value in table.items() if isinstance(value, str)}
    options = table.get("addopts", "")
    words = shlex.split(options) if isinstance(options, str) else [str(word) for word in _listed(options)]
    return IniFile(path, values, tuple(words))


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _of_toml(name: str, text: str) -> Mapping[str, object] | None:
    whole: object = tomllib.loads(text)
    for place in PLACES.get(name, ("pytest", *PLACES["pyproject.toml"])):
        table = whole
        for key in place.split("."):
            table = table.get(key) if isinstance(table, dict) else None
        if isinstance(table, dict):
            return table
    return None


def _of_ini(name: str, text: str) -> Mapping[str, object] | None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    for section in PLACES.get(name, ("pytest", "tool:pytest")):
        if parser.has_section(section):
            return dict(parser.items(section))
    return None
