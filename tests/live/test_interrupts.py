"""An interrupted run leaves nothing behind and keeps its evidence; what a SIGKILL left is swept by ``rmqha clean``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from pytest_rmqha.journal import JOURNAL
from pytest_rmqha.waiting import await_match, seconds

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = "killing_the_holders_host"
MOMENTS = ("bring-up", "fault", "teardown")


def left_of_ours() -> list[str]:
    """Names of containers, networks and volumes; also while a run takes its own away."""
    client, ours = docker.from_env(), {"label": "rmqha.run"}
    things = [*client.containers.list(all=True, filters=ours, ignore_removed=True), *client.networks.list(filters=ours)]
    return [str(thing.name) for thing in [*things, *client.volumes.list(filters=ours)]]


def manifest_in(reports: Path) -> dict[str, Any]:
    files = list(reports.glob("*/manifest.json"))
    assert len(files) == 1, "the run wrote no manifest"
    found: dict[str, Any] = json.loads(files[0].read_text())
    return found


def started_run(reports: Path, *more: str) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "pytest", "suites", "-k", SCENARIO, f"--rmq-reports={reports}", "-p", "no:cacheprovider",
        f"--junitxml={reports}/junit.xml", *more,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until(moment: str, reports: Path) -> None:
    """``bring-up``: containers exist. ``fault``: a balancer is dead. ``teardown``: the timeline is written, containers go."""
    client = docker.from_env()
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        containers = client.containers.list(all=True, filters={"label": "rmqha.run"}, ignore_removed=True)
        if moment == "bring-up" and containers:
            return
        if moment == "fault" and any(c.status == "exited" and "-lb" in c.name for c in containers):
            return
        if moment == "teardown" and list(reports.glob("*/timeline.jsonl")) and containers:
            return
        time.sleep(0.1)
    pytest.fail(f"the run did not reach {moment}")


@pytest.fixture(autouse=True)
def nothing_else_runs() -> None:
    assert left_of_ours() == [], "another run is on this engine: it would be mistaken for what these tests leave"


@pytest.fixture
def stranger() -> Iterator[str]:
    """Somebody else's container, with labels of its own; it must be there afterwards."""
    container = docker.from_env().containers.create("rmqha/base:bookworm", ["sleep", "60"], labels={"somebody": "else"})
    yield str(container.id)
    container.remove(force=True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_leaves_nothing_and_keeps_its_evidence(
    tmp_path: Path, how: signal.Signals, moment: str, stranger: str
) -> None:
    run = started_run(tmp_path)
    until(moment, tmp_path)
    run.send_signal(how)
    output, _ = run.communicate(timeout=150)

    assert run.returncode != 0, output[-2000:]
    assert left_of_ours() == [], output[-2000:]
    assert docker.from_env().containers.get(stranger)
    assert list(tmp_path.glob("*/timeline.jsonl")), "the timeline was not kept"
    assert not list(tmp_path.glob(f"*/{JOURNAL}")), "the timeline is written whole, so its journal is to go"
    assert (tmp_path / "junit.xml").exists(), output[-2000:]
    written = manifest_in(tmp_path)
    assert written["exit_status"] == pytest.ExitCode.INTERRUPTED
    assert len(written["not_reached"]) + len(written["scenarios"]) == 1
    place = {"bring-up": "bring-up", "fault": "*"}.get(moment)
    if place:
        assert list(tmp_path.glob(f"*/evidence/{place}/*-log.txt")), "the containers' logs were not kept"


def test_a_run_whose_deadline_passes_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    run = started_run(tmp_path, "--rmq-deadline=0.5")
    output, _ = run.communicate(timeout=180)

    assert run.returncode == pytest.ExitCode.INTERRUPTED, output[-2000:]
    assert "ENDED: the deadline of 0.5 minutes (--rmq-deadline) has passed" in output
    assert left_of_ours() == [], output[-2000:]
    assert manifest_in(tmp_path)["not_reached"]


def killed_run(moment: str, reports: Path) -> set[str]:
    """Names of what a run left that was killed at that moment."""
    run = started_run(reports)
    until(moment, reports)
    run.kill()
    run.communicate(timeout=30)
    left = set(left_of_ours())
    assert left, "the run left nothing: there was nothing to clean"
    assert manifest_in(reports)["unfinished"]
    kept, *_ = [*reports.glob(f"*/{JOURNAL}"), *reports.glob("*/timeline.jsonl")]
    events = [json.loads(line)["kind"] for line in kept.read_text().splitlines()]
    assert "wait.begin" in events and ("fault.injected" in events or moment == "bring-up")
    return left


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_killed_run_left_is_removed_by_the_next_start_and_nothing_else(
    tmp_path: Path, moment: str, stranger: str
) -> None:
    left = killed_run(moment, tmp_path / "killed")

    following = started_run(tmp_path / "following")
    try:
        there = await_match(
            left_of_ours, lambda names: bool(set(names) - left), what="something of the next run", within=seconds(120)
        )
        assert not left & set(there)
    finally:
        following.send_signal(signal.SIGINT)
        output, _ = following.communicate(timeout=150)

    assert left_of_ours() == [], output[-2000:]
    assert docker.from_env().containers.get(stranger)


def test_what_a_killed_run_left_is_removed_by_clean_and_nothing_else(tmp_path: Path, stranger: str) -> None:
    killed_run("fault", tmp_path)

    clean = [str(Path(sys.executable).parent / "rmqha"), "clean"]
    done = subprocess.run(clean, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert left_of_ours() == []
    assert docker.from_env().containers.get(stranger)
