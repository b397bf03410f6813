"""What makes a run's verdicts, as file -> SHA-256: the code of its tests and of their plays, and this package's own.

Every ``*.py`` of every folder from which something was imported, but for the standard library and what is installed: test
modules, plays, conftest files, and a package of the user's that they import. Some 20 ms. Limits: a module that is
imported only while a test runs is missed if nothing beside it was imported before; data files and installed packages but
ours are not looked at (the manifest has their versions).
"""

from __future__ import annotations

import hashlib
import os
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pytest_rmqha

OURS = "pytest-rmqha"
INSTALLED = frozenset({"site-packages", "dist-packages"})
MOST = 5


def code_digest(modules: Iterable[object], root: Path) -> dict[str, str]:
    """``modules``: all that were imported, ``root``: what names are relative to, as node ids are. Ours is one entry."""
    files = [file for folder in _folders(modules) for file in sorted(folder.glob("*.py"))]
    found = {PurePosixPath(os.path.relpath(file, root)).as_posix(): _sum(file) for file in files}
    return {**found, OURS: _own()}


def changed(was: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Names of what is not the same, of what both have: a run of other paths has other files.

    A conftest.py that only one has counts where both have its folder: pytest takes it in though nothing imports it.
    """
    folders = {PurePosixPath(name).parent for name in was} & {PurePosixPath(name).parent for name in here}
    one_sided = [
        name
        for name in was.keys() ^ here.keys()
        if PurePosixPath(name).name == "conftest.py" and PurePosixPath(name).parent in folders
    ]
    return sorted([*(name for name in was.keys() & here.keys() if was[name] != here[name]), *one_sided])


def told(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _folders(modules: Iterable[object]) -> list[Path]:
    """Those that something was imported from and that are read. Sifted as text: there are a thousand modules."""
    named = [getattr(module, "__dict__", {}).get("__file__") for module in tuple(modules)]
    passed_over = (str(_package()) + os.sep, *_standard_library())
    files = [
        Path(name)
        for name in named
        if isinstance(name, str) and name.endswith(".py") and not name.startswith(passed_over)
    ]
    return sorted({file.parent for file in files if not INSTALLED & set(file.parts) and file.is_file()})


def _standard_library() -> tuple[str, ...]:
    return tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))


def _package() -> Path:
    return Path(pytest_rmqha.__file__).parent


def _own() -> str:
    """One sum over the package's own ``*.py``, the suites that are installed with it among them."""
    package = _package()
    made = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        made.update(f"{file.relative_to(package).as_posix()} {_sum(file)}\n".encode())
    return made.hexdigest()


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
