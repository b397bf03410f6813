"""Where this machine can't reach container addresses: a plain run says so and leaves nothing, ``rmqha run`` is green.

The way is blocked as Docker Desktop has none: every packet of this host to the reference's subnet is dropped, and nothing
else. What containers say to one another does not pass the host's output. Needs root and nft.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
SUBNET = "198.18.40.0/24"
TABLE = "rmqha_test_runner"
BIN = Path(sys.executable).parent
SCENARIO = "killing_the_leader_promotes"
WHOLE_RUN = 900.0
"""Seconds, with the runner's image made from packages."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft")


def left_of_ours() -> list[str]:
    client = docker.from_env()
    return [c.name for c in client.containers.list(all=True, filters={"label": "rmqha.run"})] + [
        n.name for n in client.networks.list(filters={"label": "rmqha.run"})
    ]


def nft(*words: str, check: bool = True) -> str:
    done = subprocess.run(["nft", *words], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def no_way_to_containers() -> Iterator[None]:
    assert left_of_ours() == [], "another run is on this engine: it would be cut off, and mistaken for what is left"
    nft("delete", "table", "inet", TABLE, check=False)
    try:
        nft("add", "table", "inet", TABLE)
        nft("add", "chain", "inet", TABLE, "out", "{ type filter hook output priority 0 ; policy accept ; }")
        nft("add", "rule", "inet", TABLE, "out", "ip", "daddr", SUBNET, "counter", "drop")
        assert SUBNET in nft("list", "table", "inet", TABLE)
        yield
    finally:
        nft("delete", "table", "inet", TABLE, check=False)
        assert TABLE not in nft("list", "tables")


def dropped() -> int:
    """Packets that the rule has dropped: no packet, no proof."""
    return int(nft("list", "table", "inet", TABLE).split("packets ")[1].split()[0])


def test_a_plain_run_says_that_it_cannot_get_there_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "pytest", "suites", "-k", SCENARIO, f"--rmq-reports={tmp_path}", "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    said = done.stdout + done.stderr

    assert done.returncode == 4, said[-2000:]
    assert dropped() > 0
    assert "network of the run: got no way from here to 198.18.40.200" in said, said[-2000:]
    assert "rmqha run -- " in said
    assert "Traceback" not in said
    assert left_of_ours() == []


def test_in_a_runner_the_same_run_is_green_and_its_reports_are_here(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "rmqha", "run", "--", "suites", "-k", SCENARIO, f"--rmq-reports={tmp_path}/out",
         f"--junitxml={tmp_path}/junit.xml", f"--alluredir={tmp_path}/allure"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WHOLE_RUN,
    )  # fmt: skip
    said = done.stdout + done.stderr

    assert done.returncode == 0, said[-3000:]
    assert "RabbitMQ HA verdict" in done.stdout
    (manifest,) = (tmp_path / "out").glob("*/manifest.json")
    outcomes = [scenario["outcome"] for scenario in json.loads(manifest.read_text())["scenarios"]]
    assert outcomes and set(outcomes) == {"passed"}
    assert (manifest.parent / "timeline.jsonl").exists()
    assert (tmp_path / "junit.xml").exists()
    assert list((tmp_path / "allure").glob("*-result.json"))
    assert left_of_ours() == []


def started(reports: Path) -> subprocess.Popen[str]:
    """A run in a runner whose brokers have been started."""
    run = subprocess.Popen(
        [BIN / "rmqha", "run", "--", "suites", "-k", SCENARIO, f"--rmq-reports={reports}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + WHOLE_RUN
    while time.monotonic() < deadline:
        if run.poll() is not None:
            pytest.fail(f"it ended by itself: {run.communicate()[0][-2000:]}")
        if any("-rmq1-" in c.name for c in docker.from_env().containers.list(filters={"label": "rmqha.runner"})):
            return run
        time.sleep(0.3)
    run.kill()
    pytest.fail("no broker of it was started")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_takes_its_stack_down_and_brings_its_evidence(tmp_path: Path, how: signal.Signals) -> None:
    run = started(tmp_path)
    run.send_signal(how)
    output, _ = run.communicate(timeout=150)

    assert run.returncode == 2, output[-2000:]
    assert list(tmp_path.glob("*/timeline.jsonl")), output[-2000:]
    assert left_of_ours() == [], output[-2000:]


def test_the_second_signal_ends_it_hard_and_what_it_left_is_removed(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=60)

    assert run.returncode == 128 + signal.SIGINT, output[-2000:]
    assert left_of_ours() == [], output[-2000:]


def test_what_a_killed_rmqha_run_left_is_removed_by_clean(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.kill()
    run.communicate(timeout=30)
    assert left_of_ours(), "it left nothing: there was nothing to clean"

    done = subprocess.run([BIN / "rmqha", "clean"], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr
    assert left_of_ours() == []
