"""Files that are nobody's copy of the reference (``examples/own-files``): checked, run byte for byte, and held to promises only.

They are safe and in everything else other than ours: listen sections, leastconn, VRRP version 3, an export as definitions,
lazy queues with two copies, a tick time and a heartbeat of their own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "examples" / "own-files"
WHOLE_RUN = 600.0
CHOSEN = "test_0_promises"
SPARE = "vrrp_instance spare {\n interface em9\n virtual_router_id 88\n virtual_ipaddress {\n 198.18.40.47\n }\n}\n"


def test_each_file_passes_its_own_programs_checker() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_rmqha.cli", "config", "check", str(OWN)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert ": error: " not in done.stdout + done.stderr


def test_they_run_byte_for_byte_and_promises_judge_them(tmp_path: Path) -> None:
    code, output, manifest = gate(OWN, tmp_path)

    assert code == 0, output
    assert manifest is not None
    taken = manifest["config_sha256"]
    for member, name in (("rmq2", "rabbitmq.conf"), ("rmq1", "definitions.json"), ("lb2", "haproxy.cfg")):
        assert taken[member][name] == hashlib.sha256((OWN / name).read_bytes()).hexdigest()
    assert taken["lb1"]["keepalived.conf"] != taken["lb2"]["keepalived.conf"]
    assert {scenario["kind"] for scenario in manifest["scenarios"]} == {"promise"}


def test_demonstrations_do_not_run_on_them() -> None:
    plan = [
        sys.executable,
        "-m",
        "pytest",
        "suites/",
        f"--rmq-config={OWN}",
        "--rmq-plan",
        "-q",
        "-p",
        "no:cacheprovider",
    ]

    done = subprocess.run(plan, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out, a demonstration sets an unsafe thing itself" in done.stdout


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("haproxy.cfg", "listen broken 0.0.0.0:9999\n", "haproxy.cfg:52"),
        ("lb1/keepalived.conf", SPARE, "keepalived.conf"),
        ("rabbitmq.conf", "cluster_partition_handlin = ignore\n", "cluster_partition_handlin"),
        ("definitions.json", "}\n", "definitions.json:"),
    ],
)
def test_a_file_that_its_program_refuses_starts_nothing(tmp_path: Path, name: str, line: str, said: str) -> None:
    folder = tmp_path / "files"
    shutil.copytree(OWN, folder)
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(line)

    code, output, manifest = gate(folder, tmp_path)

    assert code == 4, output
    assert said in output
    assert "before anything was started" in output
    assert manifest is None or not manifest["scenarios"]
    assert docker.from_env().containers.list(all=True, filters={"label": "rmqha.run"}) == []
    assert docker.from_env().containers.list(all=True, filters={"label": "rmqha.role=preflight"}) == []


def gate(folder: Path, place: Path) -> tuple[int, str, dict[str, object] | None]:
    """(exit code, output, manifest if one was written)"""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "suites/", "--rmq-topology=3node", f"--rmq-config={folder}"),
            *(f"--rmq-reports={place / 'reports'}", "-q", "-p", "no:cacheprovider", "-k", CHOSEN),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WHOLE_RUN,
    )
    found = sorted((place / "reports").glob("*/manifest.json"))
    return done.returncode, done.stdout + done.stderr, json.loads(found[-1].read_text()) if found else None
