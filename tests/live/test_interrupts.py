"""An interrupted run leaves nothing behind and keeps its evidence; what a SIGKILL left is swept by ``rmqha clean``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = "killing_the_holders_host"


def left_of_ours() -> list[str]:
    client = docker.from_env()
    return [c.name for c in client.containers.list(all=True, filters={"label": "rmqha.run"})] + [
        n.name for n in client.networks.list(filters={"label": "rmqha.run"})
    ]


def started_run(reports: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "pytest", "suites", "-k", SCENARIO, f"--rmq-reports={reports}", "-p", "no:cacheprovider",
        f"--junitxml={reports}/junit.xml",
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until(moment: str, reports: Path) -> None:
    """``bring-up``: containers exist. ``fault``: a balancer is dead, the fault is in effect."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        containers = docker.from_env().containers.list(all=True, filters={"label": "rmqha.run"})
        if moment == "bring-up" and containers:
            return
        if moment == "fault" and any(c.status == "exited" and "-lb" in c.name for c in containers):
            return
        time.sleep(0.2)
    pytest.fail(f"the run did not reach {moment}")


@pytest.fixture(autouse=True)
def nothing_else_runs() -> None:
    assert left_of_ours() == [], "another run is on this engine: it would be mistaken for what these tests leave"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["bring-up", "fault"])
def test_an_interrupted_run_leaves_nothing_and_keeps_its_evidence(
    tmp_path: Path, how: signal.Signals, moment: str
) -> None:
    run = started_run(tmp_path)
    until(moment, tmp_path)
    run.send_signal(how)
    output, _ = run.communicate(timeout=150)

    assert run.returncode != 0, output[-2000:]
    assert left_of_ours() == [], output[-2000:]
    assert list(tmp_path.glob("*/timeline.jsonl")), "the timeline was not kept"
    assert (tmp_path / "junit.xml").exists(), output[-2000:]


def test_what_a_killed_run_left_is_removed_by_clean_and_nothing_else(tmp_path: Path) -> None:
    client = docker.from_env()
    stranger = client.containers.create("rmqha/base:bookworm", ["sleep", "60"], labels={"somebody": "else"})
    try:
        run = started_run(tmp_path)
        until("bring-up", tmp_path)
        run.kill()
        run.communicate(timeout=30)
        assert left_of_ours(), "the run left nothing: there was nothing to clean"

        done = subprocess.run(
            [str(Path(sys.executable).parent / "rmqha"), "clean"], capture_output=True, text=True, timeout=120
        )

        assert done.returncode == 0, done.stderr
        assert left_of_ours() == []
        assert client.containers.get(stranger.id).id == stranger.id
    finally:
        stranger.remove(force=True)
