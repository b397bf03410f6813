"""``rmqha run``: what it takes for pytest's and what it hands to the runner."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha.adapters import leftovers, reachable
from pytest_rmqha.commands import run as command
from pytest_rmqha.images.spec import ImageSpec


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    return parser.parse_args(["run", *words])


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The jobs of runners that are made, on an engine that is never asked."""
    made: list[Any] = []

    class FakeRunner:
        def __init__(self, _client: Any, job: Any, *_: Any) -> None:
            made.append(job)

        def run(self) -> int:
            if "stopped" in made[-1].arguments:
                raise KeyboardInterrupt("SIGTERM")
            return 5

    class FakeClient:
        def info(self) -> dict[str, str]:
            return {"OperatingSystem": "Docker Desktop"}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "Runner", FakeRunner)
    monkeypatch.setattr(reachable, "client", lambda _timeout: FakeClient())
    monkeypatch.setattr(leftovers, "sweep", lambda _say: 0)
    monkeypatch.setattr(command, "missing", lambda _specs: ())
    monkeypatch.setattr(command, "runner_spec", lambda: ImageSpec("runner", "rmqha/runner:1", "trixie", {}))
    return made


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["--", "suites", "-k", "x"], ["suites", "-k", "x"]),
        (["suites", "-k", "x", "--rmq-plan"], ["suites", "-k", "x", "--rmq-plan"]),
        (["--engine-socket", "/s", "--", "--rmq-plan"], ["--rmq-plan"]),
        (["--", "a", "--", "b"], ["a", "--", "b"]),
        ([], []),
    ],
)
def test_what_stands_behind_is_pytests(jobs: list[Any], words: list[str], arguments: list[str]) -> None:
    assert command.run(parsed(*words)) == 5
    assert jobs[0].arguments == arguments


def test_the_runner_starts_here_and_finds_the_package_where_it_is(jobs: list[Any], tmp_path: Path) -> None:
    (tmp_path / "test_a.py").touch()
    command.run(parsed("test_a.py"))

    root = Path(command.__file__).parents[2]
    assert jobs[0].start == tmp_path
    assert tmp_path / "test_a.py" in jobs[0].files
    assert jobs[0].environment["PYTHONPATH"] == f"{root}:/opt/rmqha/own:/opt/rmqha/site"
    assert jobs[0].outputs == (tmp_path / "reports",)
    assert any(name.endswith("entry_points.txt") for name in jobs[0].more)
    assert jobs[0].name.startswith("rmqha-runner-")


def test_the_engines_socket_is_guessed_or_given(jobs: list[Any]) -> None:
    command.run(parsed("suites"))
    command.run(parsed("--engine-socket", "/other.sock", "suites"))

    assert [job.socket for job in jobs] == ["/var/run/docker.sock", "/other.sock"]


@pytest.mark.usefixtures("jobs")
def test_a_signal_that_came_too_early_is_the_exit_code() -> None:
    assert command.run(parsed("stopped")) == 128 + signal.SIGTERM
