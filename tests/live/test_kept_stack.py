"""A stack by hand: brought up, got into as it says, run on twice, and taken down again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import requests

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = "killing_the_holders_host"


def said(*command: str, within: float = 300) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RMQ_")}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=within, env=environment
    )


def left(run: str) -> list[str]:
    client, ours = docker.from_env(), {"label": f"rmqha.run={run}"}
    things = [*client.containers.list(all=True, filters=ours), *client.networks.list(filters=ours)]
    return [str(thing.name) for thing in [*things, *client.volumes.list(filters=ours)]]


def run_on(run: str, reports: Path) -> dict[str, Any]:
    done = said(
        "pytest", "suites", "-k", SCENARIO, f"--rmq-reuse={run}", f"--rmq-reports={reports}", "-p", "no:cacheprovider"
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    (found,) = reports.glob("*/manifest.json")
    manifest: dict[str, Any] = json.loads(found.read_text())
    assert [scenario["outcome"] for scenario in manifest["scenarios"]] == ["passed"]
    return manifest


def test_up_then_run_on_it_twice_then_down(tmp_path: Path) -> None:
    up = said("pytest_rmqha.cli", "up", f"--reports={tmp_path / 'up'}")
    assert up.returncode == 0, up.stdout + up.stderr
    (run,) = re.findall(r"remove it: rmqha down (\S+)", up.stdout)
    try:
        assert left(run)
        (command,) = re.findall(r"its password: docker exec (\S+) cat (\S+)", up.stdout)
        password = docker.from_env().containers.get(command[0]).exec_run(["cat", command[1]]).output.decode().strip()
        pages = re.findall(r"http://[\d.]+:15672", up.stdout)
        assert len(pages) == 3
        for page in pages:
            assert requests.get(f"{page}/api/whoami", auth=("rmqha-admin", password), timeout=5).status_code == 200
        assert password not in up.stdout
        for number in (1, 2):
            manifest = run_on(run, tmp_path / f"on-{number}")
            assert not manifest.get("unfinished")
            assert left(run), "a run on a kept stack has taken it down"
    finally:
        down = said("pytest_rmqha.cli", "down", run)
    assert down.returncode == 0, down.stdout + down.stderr
    assert left(run) == []
