"""``--rmq-image`` with an *imitation* of the official RabbitMQ image, built here: ``official/README.md`` says what it keeps."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from pytest_rmqha.adapters.building import build
from pytest_rmqha.adapters.images import present, programs
from pytest_rmqha.images.spec import ImageSpec, wanted

ROOT = Path(__file__).resolve().parents[2]
OFFICIAL = Path(__file__).parent / "official"
LINE = "3.10"
PLAIN, MANAGEMENT = f"rmqha/imitation-of-official:{LINE}", f"rmqha/imitation-of-official:{LINE}-management"
SCENARIO = "killing_the_leader_promotes"

LOOK = """
id -u rabbitmq; id -g rabbitmq
stat -c '%U %a' /var/lib/rabbitmq; stat -c '%U %a' /etc/rabbitmq
command -v rabbitmq-server; command -v rabbitmqctl
readlink /root/.erlang.cookie
for gone in ip ss nft start-broker; do command -v $gone; done
echo "$HOME"
ls /etc/rabbitmq/conf.d
"""
SEEN = """
999
999
rabbitmq 1777
rabbitmq 1777
/opt/rabbitmq/sbin/rabbitmq-server
/opt/rabbitmq/sbin/rabbitmqctl
/var/lib/rabbitmq/.erlang.cookie
/var/lib/rabbitmq
10-defaults.conf
"""
METRICS_OFF = "20-management_agent.disable_metrics_collector.conf"


@dataclass(frozen=True)
class Run:
    """What an inner run said: exit code, output, test -> outcome, where its evidence is (None: none was written)."""

    code: int
    output: str
    outcomes: dict[str, str]
    folder: Path | None


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return docker.from_env(timeout=120)


@pytest.fixture(scope="module", autouse=True)
def imitations(client: docker.DockerClient) -> None:
    """Both variants on the engine, made of the broker image that is here; layers of an earlier run are taken."""
    packages = next(spec for spec in wanted(LINE, {}) if spec.role == "broker")
    present([packages])
    version = programs([packages])["broker"].split()[0]
    context = {file.name: file.read_bytes() for file in OFFICIAL.iterdir() if file.is_file()}
    arguments = {"PACKAGES": packages.tag, "RABBITMQ_VERSION": version}
    build(client, _imitation(PLAIN, packages.suite, context), {}, arguments, print)
    more = {"Dockerfile": (OFFICIAL / "management" / "Dockerfile").read_bytes()}
    build(client, _imitation(MANAGEMENT, packages.suite, more), {}, {"PLAIN": PLAIN}, print)


def _imitation(tag: str, suite: str, context: dict[str, bytes]) -> ImageSpec:
    return ImageSpec("imitation-of-official", tag, suite, context)


def _said(client: docker.DockerClient, image: str, command: list[str], entrypoint: list[str] | None = None) -> str:
    """One short command in a container without a network; its volume goes with it."""
    container = client.containers.create(image, command, entrypoint=entrypoint, network_mode="none")
    try:
        container.start()
        code = container.wait(timeout=60)["StatusCode"]
        said = bytes(container.logs()).decode()
    finally:
        container.remove(force=True, v=True)
    assert code == 0, f"{command} ended with {code}: {said}"
    return said


@pytest.fixture
def run_with(tmp_path: Path) -> Callable[[str], Run]:
    def run(image: str) -> Run:
        command = [
            sys.executable, "-m", "pytest", "suites/", "--rmq-topology=3node", f"--rmq-image={image}",
            f"--rmq-version={LINE}", "-k", SCENARIO, f"--rmq-reports={tmp_path}/reports",
            f"--junitxml={tmp_path}/junit.xml", "-p", "no:cacheprovider", "--tb=short",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        outcomes = {
            str(case.get("name")): "red" if {"failure", "error", "skipped"} & {part.tag for part in case} else "passed"
            for case in ElementTree.parse(tmp_path / "junit.xml").iter("testcase")
        }
        folders = list((tmp_path / "reports").glob("*/timeline.jsonl"))
        return Run(done.returncode, done.stdout + done.stderr, outcomes, folders[0].parent if folders else None)

    return run


@pytest.mark.parametrize(("image", "more"), [(PLAIN, METRICS_OFF), (MANAGEMENT, "")], ids=["plain", "management"])
def test_the_imitation_keeps_the_conventions(client: docker.DockerClient, image: str, more: str) -> None:
    config = client.images.get(image).attrs["Config"]

    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert config["Cmd"] == ["rabbitmq-server"]
    assert list(config["Volumes"]) == ["/var/lib/rabbitmq"]
    assert not config.get("User")
    assert _said(client, image, ["-c", LOOK], ["sh"]).split() == [*SEEN.split(), *more.split()]


def test_the_imitations_entrypoint_steps_down_and_rabbitmqctl_runs_as_root_too(client: docker.DockerClient) -> None:
    assert _said(client, MANAGEMENT, ["rabbitmqctl", "version"]).strip().startswith(f"{LINE}.")
    assert _said(client, MANAGEMENT, ["-c", "rabbitmqctl version"], ["sh"]).strip().startswith(f"{LINE}.")
    assert _said(client, MANAGEMENT, ["id", "-u"]).strip() == "0", "a command that is not RabbitMQ's keeps its user"


def test_a_scenario_is_green_on_the_variant_with_management(
    client: docker.DockerClient, run_with: Callable[[str], Run]
) -> None:
    seen = run_with(MANAGEMENT)

    assert seen.code == 0, seen.output[-4000:]
    assert list(seen.outcomes.values()) == ["passed"], seen.output[-4000:]
    assert seen.folder is not None
    used = json.loads((seen.folder / "manifest.json").read_text())["images"]
    assert {used[broker] for broker in ("rmq1", "rmq2", "rmq3")} == {client.images.get(MANAGEMENT).id}


def test_the_variant_without_statistics_is_refused_before_any_scenario(
    client: docker.DockerClient, run_with: Callable[[str], Run]
) -> None:
    seen = run_with(PLAIN)

    assert seen.code == pytest.ExitCode.USAGE_ERROR, seen.output[-4000:]
    told = [line for line in seen.output.splitlines() if "statistics of the management API: got switched off" in line]
    assert len(told) == 1, seen.output[-4000:]
    assert PLAIN in told[0]
    assert "To do: take the -management variant" in told[0]
    assert "Traceback" not in seen.output
    assert "passed" not in seen.outcomes.values()
    assert seen.folder is not None
    events = [json.loads(line) for line in (seen.folder / "timeline.jsonl").read_text().splitlines()]
    assert events
    assert not [event for event in events if str(event.get("kind", "")).startswith("fault")]
    left = client.containers.list(all=True, filters={"label": f"rmqha.run={seen.folder.name}"})
    assert not left, [container.name for container in left]
