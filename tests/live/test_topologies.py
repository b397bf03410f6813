"""Other shapes of a stack: somebody else's compose file (``examples/foreign``), and the single mode (``1node``).

Each is run as anybody would run it, and judged by the exit code, the manifest and what was left out with which reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ROOT / "examples" / "foreign"
LONGEST = 900.0


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, dict[str, Any]]:
    return run(
        tmp_path_factory.mktemp("foreign"),
        *("-k", "killing_the_leader"),
        f"--rmq-topology={FOREIGN / 'compose.yaml'}",
        f"--rmq-config={FOREIGN / 'config'}",
    )


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, dict[str, Any]]:
    return run(tmp_path_factory.mktemp("single"), "--rmq-topology=1node")


def test_n1_is_green_on_a_compose_file_with_other_names_and_another_subnet(
    foreign: tuple[int, str, dict[str, Any]],
) -> None:
    code, output, manifest = foreign

    assert code == 0, output
    ran = {name for scenario in manifest["scenarios"] for name in scenario["ids"]}
    assert "N1" in ran, output
    assert all(scenario["outcome"] == "passed" and scenario["verdicts"] for scenario in manifest["scenarios"]), output


def test_its_members_are_called_as_its_own_file_calls_them(foreign: tuple[int, str, dict[str, Any]]) -> None:
    _, output, manifest = foreign

    members = {"bunny-1", "bunny-2", "bunny-3", "hap-a", "hap-b"}
    assert set(manifest["config_sha256"]) == members, output
    assert "rmq1" not in " ".join(manifest["config_sha256"])


def test_the_single_mode_runs_b13_and_leaves_out_the_rest_with_a_reason(
    single: tuple[int, str, dict[str, Any]],
) -> None:
    code, output, manifest = single

    assert code == 0, output
    ran = [scenario for scenario in manifest["scenarios"] if "B13" in scenario["ids"]]
    assert len(ran) == 4, output
    assert all(scenario["outcome"] == "passed" and scenario["verdicts"] for scenario in manifest["scenarios"]), output
    assert not any("B13" in one["ids"] for one in manifest["left_out"])
    missing = {"N1", "P2", "B1", "V1"} - {name for one in manifest["left_out"] for name in one["ids"]}
    assert not missing, f"neither run nor left out: {missing}"
    assert all(one["reason"].strip() for one in manifest["left_out"])


def test_neither_left_anything_behind(
    foreign: tuple[int, str, dict[str, Any]], single: tuple[int, str, dict[str, Any]]
) -> None:
    engine = docker.from_env()
    for _, output, manifest in (foreign, single):
        ours = {"label": f"com.docker.compose.project=rmqha-{manifest['run']}"}
        assert engine.containers.list(all=True, filters=ours) == [], output
        assert engine.networks.list(filters=ours) == [], output
        assert engine.volumes.list(filters=ours) == [], output


def run(place: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """(exit code, output, manifest); a run without a manifest is red here."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "suites/", "-q", "-p", "no:cacheprovider"),
            *(f"--rmq-reports={place / 'reports'}", *arguments),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    output = done.stdout + done.stderr
    found = sorted((place / "reports").glob("*/manifest.json"))
    assert found, output
    return done.returncode, output, json.loads(found[-1].read_text())
