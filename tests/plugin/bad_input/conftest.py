"""Places and machines for bad input, and which cases this machine can't provoke."""

from __future__ import annotations

import fnmatch
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.plugin.bad_input import machine
from tests.plugin.bad_input.fake_engine import FakeEngine
from tests.plugin.bad_input.machine import Change, Said

SCENARIO = """
import pytest


@pytest.mark.rmq_scenario("N1")
def test_it(rmq_stage):
    raise SystemExit("a stack was leased")
"""
NEEDS: Mapping[str, tuple[Callable[[], bool], str]] = {
    "nobody": (machine.nobody_can_be_had, "only root can become another user"),
    "mounts": (machine.mounts_are_allowed, "only root may mount, and not in every container"),
    "no_compose": (lambda: not machine.is_for_everybody(), "the compose plug-in is where every client finds it"),
}
LEFT_OUT: pytest.StashKey[dict[str, int]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(what): what a case takes to be provoked for real")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A case that can't be provoked here is left out and counted: it has no verdict."""
    lacking = {
        what: reason
        for what, (there, reason) in NEEDS.items()
        if any(what in mark.args for item in items for mark in item.iter_markers("needs")) and not there()
    }
    out = [item for item in items if any(w in lacking for m in item.iter_markers("needs") for w in m.args)]
    config.stash[LEFT_OUT] = dict.fromkeys(lacking.values(), 0)
    for item in out:
        for reason in {lacking[w] for m in item.iter_markers("needs") for w in m.args if w in lacking}:
            config.stash[LEFT_OUT][reason] += 1
    items[:] = [item for item in items if item not in out]
    if out:
        config.hook.pytest_deselected(items=out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reason, count in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"bad input, {count} cases left out: {reason}")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may see and write to, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="rmqha-bad-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def engine(place: Path) -> Iterator[FakeEngine]:
    """An engine with every image and nothing else; a test changes it before it asks."""
    with FakeEngine(place / "engine.sock") as running:
        yield running


class World:
    """One machine: ``environment`` is all that a command on it knows; ``engine`` is the one that it may reach."""

    def __init__(self, place: Path, engine: FakeEngine) -> None:
        self.place, self.engine = place, engine
        plugins = machine.compose_plugin()
        (place / "docker").mkdir()
        if plugins:
            (place / "docker" / "cli-plugins").symlink_to(plugins)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "DOCKER_CONFIG": str(place / "docker"),
            "DOCKER_HOST": engine.host,
        }
        self.write("test_scenario.py", SCENARIO)

    def write(self, name: str, text: str | bytes) -> Path:
        file = self.place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def pytest(self, *arguments: str, changes: tuple[Change, ...] = ()) -> Said:
        return machine.run("pytest", ["--rmq-seed=1", *arguments], self.place, self.environment, *changes)

    def rmqha(self, *arguments: str, changes: tuple[Change, ...] = ()) -> Said:
        return machine.run("rmqha", list(arguments), self.place, self.environment, *changes)

    def refuses(self, said: Said, message: str, code: int = 4) -> None:
        """One message as it must be, with this exit code, no traceback, and nothing made on the engine."""
        told = [line for line in said.text.splitlines() if "; expected " in line or "; allowed" in line]
        assert len(told) == 1, said.text
        assert fnmatch.fnmatchcase(told[0], message.replace("[", "[[]")), f"{told[0]}\nis not\n{message}"
        assert said.code == code, said.text
        assert "Traceback" not in said.text and "INTERNALERROR" not in said.text, said.text
        assert " passed" not in said.out
        assert self.engine.made == []


@pytest.fixture
def world(place: Path, engine: FakeEngine) -> World:
    return World(place, engine)
