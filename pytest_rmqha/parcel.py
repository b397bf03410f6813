"""What a run in a runner container needs of this machine, and what it gives back.

Every file stands there at the very path that it has here, and pytest starts in the same folder: arguments, settings, ini
files and messages mean the same in both places, and nothing is translated.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest_rmqha
from pytest_rmqha import data, ini_file
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.ini_file import IniFile
from pytest_rmqha.run_folder import MANIFEST

LIMIT, MOST_FILES = 64 * 2**20, 10_000
"""Bytes and files. A project with its scenarios and configuration stays far below."""
OUTPUTS = ("--junitxml", "--junit-xml", "--alluredir", "--report-log", "--log-file", "--html")
"""Options that name what pytest writes. What it writes anywhere else stays inside and goes with the container."""
INPUTS = ("topology", "config", "resume")
GENERATED = ("__pycache__", "node_modules")
PASSED_ON = ("PYTEST_ADDOPTS", "CI", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "TERM", "COLUMNS", "LINES", "TZ")
OURS_ALONE = ("RMQHA_RUNNER", "RMQHA_RUNNER_OWNER")


@dataclass(frozen=True)
class Parcel:
    """``files``: absolute paths, each once. ``start``: where pytest starts. ``outputs``: absolute, without what is below
    another of them. ``environment``: variables that go along.
    """

    start: Path
    files: tuple[Path, ...]
    reports: Path
    outputs: tuple[Path, ...]
    environment: Mapping[str, str]


def pack(arguments: Sequence[str], environment: Mapping[str, str], here: Path) -> Parcel:
    """``arguments``: pytest's. UserInputError when it is more than a project, such as somebody's whole home."""
    ini = _ini(arguments, here)
    words = [*ini.addopts, *shlex.split(environment.get("PYTEST_ADDOPTS", "")), *arguments]
    reports = _setting("reports", words, environment, ini, here) or here / "reports"
    outputs = [reports, *(here / Path(text).expanduser() for option in OUTPUTS for text in _given(option, words))]
    written = tuple(Path(os.path.normpath(path)) for path in outputs)
    named = [*_named(words, here), *_inputs(words, environment, ini, here)]
    topologies = [path for path in named if path.suffix in (".yaml", ".yml") and path.is_file()]
    wanted = [_project(ini, here), *_package(), *named, *_linked(_setting("config", words, environment, ini, here))]
    for file in topologies:
        wanted += _beside(file)
    files = {*_bounded(wanted, written), *written[0].glob(f"*/{MANIFEST}")}
    return Parcel(here, tuple(sorted(files)), written[0], _outermost(written), _environment(environment, topologies))


def _ini(arguments: Sequence[str], here: Path) -> IniFile:
    """pytest looks from what its arguments have in common, or from where it starts."""
    for option in ("-c", "--config-file"):
        for text in _given(option, arguments):
            return ini_file.read(here / text)
    tests = [path for word in arguments if not word.startswith("-") and (path := _there(word, here))]
    folders = [str(path if path.is_dir() else path.parent) for path in tests]
    return ini_file.find(Path(os.path.commonpath(folders)) if folders else here)


def _given(option: str, words: Sequence[str]) -> list[str]:
    """Values of an option, as ``--x=value`` or ``--x value``."""
    apart = [after for word, after in itertools.pairwise(words) if word == option]
    return [*(word.partition("=")[2] for word in words if word.startswith(f"{option}=")), *apart]


def _there(word: str, here: Path) -> Path | None:
    """What a word names, if there is such a thing; a test's id names its file."""
    text = word.partition("::")[0]
    path = Path(os.path.normpath(here / Path(text).expanduser())) if text else None
    try:
        return path if path is not None and path.exists() else None
    except OSError:
        return None


def _named(words: Sequence[str], here: Path) -> list[Path]:
    """Every path that words name and that is there, but not what pytest writes."""
    written = {text for option in (*OUTPUTS, "--rmq-reports") for text in _given(option, words)}
    texts = [word.partition("=")[2] if word.startswith("-") else word for word in words]
    return [path for text in texts if text not in written and (path := _there(text, here)) is not None]


def _setting(name: str, words: Sequence[str], environment: Mapping[str, str], ini: IniFile, here: Path) -> Path | None:
    """The path that a setting names, from the first place that has it, as ``settings`` reads it."""
    given = _given("--rmq-" + name.replace("_", "-"), words)
    text = given[-1] if given else environment.get("RMQ_" + name.upper(), "").strip()
    if text:
        return here / Path(text).expanduser()
    written = ini.values.get(f"rmq_{name}", "").strip()
    return ini.path.parent / Path(written).expanduser() if written and ini.path is not None else None


def _inputs(words: Sequence[str], environment: Mapping[str, str], ini: IniFile, here: Path) -> Iterator[Path]:
    for name in INPUTS:
        path = _setting(name, words, environment, ini, here)
        if path is not None and path.exists():
            yield Path(os.path.normpath(path))


def _linked(configuration: Path | None) -> list[Path]:
    """Folders of a configuration that are links: a tree is walked without them. A link to nothing is told here, for it can't
    travel and would be filled in from the reference.
    """
    if configuration is None or not configuration.is_dir():
        return []
    folder = Path(os.path.normpath(configuration))
    places = [folder, *(path for path in sorted(folder.iterdir()) if path.is_dir())]
    for path in (path for place in places for path in sorted(place.iterdir())):
        if path.is_symlink() and not path.exists():
            raise UserInputError(
                "configuration file", str(path), "a readable file", "make it readable (a link to nothing)"
            )
    return [path for path in places if path.is_symlink()]


def _project(ini: IniFile, here: Path) -> Path:
    """The folder of the ini file, or where pytest starts; only the ini file where that is nobody's project."""
    folder = ini.path.parent if ini.path is not None else here
    home = Path.home()
    if folder in (home, *home.parents, Path(tempfile.gettempdir())):
        return ini.path or here / "conftest.py"
    return folder


def _package() -> tuple[Path, ...]:
    return Path(pytest_rmqha.__file__).parent, data.compose_folder(), data.suites_folder()


def _beside(compose_file: Path) -> list[Path]:
    """What compose reads with a file: ``.env``, and files that its text names by a relative path."""
    folder = compose_file.parent
    words = re.findall(r"[\w./-]*\w\.\w+", compose_file.read_text(encoding="utf-8", errors="replace"))
    return [path for word in dict.fromkeys([".env", *words]) if (path := folder / word).is_file()]


def _bounded(wanted: Sequence[Path], written: Sequence[Path]) -> set[Path]:
    files: set[Path] = set()
    size = 0
    for place in wanted:
        for path in [place] if place.is_file() else _below(place, written):
            if path in files or path in written:
                continue
            files.add(path)
            size += path.stat().st_size
            if size > LIMIT or len(files) > MOST_FILES:
                raise UserInputError(
                    "what the run needs",
                    f"more than {LIMIT // 2**20} MiB or {MOST_FILES} files, {place} among it",
                    "a folder with scenarios and configuration, small enough to be copied into a container",
                    "start the run in a folder of its own, or hide what it does not need (.NAME)",
                )
    return files


def _below(folder: Path, written: Sequence[Path]) -> Iterator[Path]:
    """Files of a tree without what is hidden, generated, an environment of python or written by a run."""
    for root, folders, names in os.walk(folder):
        at = Path(root)
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".")
            and name not in GENERATED
            and not (at / name / "pyvenv.cfg").exists()
            and at / name not in written
        ]
        yield from (at / name for name in sorted(names) if not name.startswith(".") and (at / name).is_file())


def _outermost(paths: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(p for p in paths if not any(other in p.parents for other in paths)))


def _environment(environment: Mapping[str, str], topologies: Sequence[Path]) -> dict[str, str]:
    """Settings, what pytest's look depends on, and what compose files fill in."""
    filled = {name for file in topologies for name in re.findall(r"\$\{?(\w+)", file.read_text(errors="replace"))}
    return {
        name: value
        for name, value in environment.items()
        if (name.startswith(("RMQ_", "RMQHA_")) or name in PASSED_ON or name in filled) and name not in OURS_ALONE
    }
