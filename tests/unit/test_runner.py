"""A runner is fed, followed, emptied and removed, whatever ends it; signals reach pytest first and the container second."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha.adapters.noted_signals import NotedSignals
from pytest_rmqha.adapters.runner import SOCKET, Job, Runner, archive_of, socket_of
from pytest_rmqha.errors import ToolFailed, UserInputError
from tests.unit.fake_runner_engine import FakeContainer, FakeEngine


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RMQHA_RUNNER", raising=False)


class Said:
    """What came out of a run, by where it came out."""

    def __init__(self) -> None:
        self.out, self.err = b"", b""
        self.ours: list[str] = []

    def take_out(self, piece: bytes) -> None:
        self.out += piece

    def take_err(self, piece: bytes) -> None:
        self.err += piece


def runner(container: FakeContainer, said: Said, here: Path, **more: Any) -> Runner:
    (here / "a.py").write_text("a = 1\n")
    job = Job(
        "rmqha-runner-1", "image:1", ["suites", "-x"], here, [here / "a.py"], {}, [here / "reports"], {"A": "b"}, **more
    )
    engine: Any = FakeEngine(container)
    return Runner(engine, job, said.ours.append, said.take_out, said.take_err)


def test_a_run_is_fed_followed_emptied_and_removed(tmp_path: Path) -> None:
    container, said = FakeContainer(code=1), Said()
    container.gives[f"{tmp_path}/reports"] = {"reports/r1/manifest.json": b"{}"}

    assert runner(container, said, tmp_path).run() == 1

    assert (said.out, said.err) == (b"one\n", b"two\n")
    assert container.files == {f"{tmp_path}/a.py": b"a = 1\n"}
    assert (tmp_path / "reports/r1/manifest.json").read_bytes() == b"{}"
    assert container.done == ["attach", "start", "remove"]


def test_it_starts_where_pytest_was_started_with_the_engines_socket_and_our_labels(tmp_path: Path) -> None:
    container = FakeContainer()
    runner(container, Said(), tmp_path, socket="/run/engine.sock").run()
    made = container.created_with

    assert (made["image"], made["command"], made["working_dir"]) == ("image:1", ["suites", "-x"], str(tmp_path))
    assert [(mount["Source"], mount["Target"], mount["Type"]) for mount in made["mounts"]] == [
        ("/run/engine.sock", SOCKET, "bind")
    ]
    assert made["labels"]["rmqha.run"] == made["environment"]["RMQHA_RUNNER"] == "rmqha-runner-1"
    assert made["labels"]["rmqha.pid"] == str(os.getpid())
    assert json.loads(made["environment"]["RMQHA_RUNNER_OWNER"])["rmqha.pid"] == str(os.getpid())
    assert made["environment"]["A"] == "b"
    assert (made["tty"], made["use_config_proxy"]) == (False, False)


def test_the_first_signal_is_pytests_and_the_reports_still_come_back(tmp_path: Path) -> None:
    container, said = FakeContainer(waits=True), Said()
    container.gives[f"{tmp_path}/reports"] = {"reports/timeline.jsonl": b"1\n"}
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert runner(container, said, tmp_path).run() == 2

    assert container.done == ["attach", "start", "kill SIGTERM", "remove"]
    assert (tmp_path / "reports/timeline.jsonl").exists()
    assert "SIGTERM goes to pytest" in said.ours[-1]


def test_the_second_signal_ends_it_hard(tmp_path: Path) -> None:
    container, said = FakeContainer(waits=True), Said()
    container.listens = False
    for after in (0.2, 0.6):
        threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()

    assert runner(container, said, tmp_path).run() == 128 + signal.SIGINT

    assert container.done == ["attach", "start", "kill SIGINT", "kill SIGKILL", "remove"]


def test_a_signal_before_the_start_is_obeyed_and_leaves_nothing(tmp_path: Path) -> None:
    container = FakeContainer()
    early = runner(container, Said(), tmp_path)
    early.signals.seen.append(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        early.run()

    assert container.done == ["remove"]


def test_signals_are_ours_again_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with NotedSignals() as noted:
        os.kill(os.getpid(), signal.SIGINT)
        assert noted.seen == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_not_pytests_to_write_is_refused_and_the_runner_goes(tmp_path: Path) -> None:
    container = FakeContainer()
    container.gives[f"{tmp_path}/reports"] = {"reports/../../escaped": b"x"}

    with pytest.raises(ToolFailed, match="is not of"):
        runner(container, Said(), tmp_path).run()

    assert container.done[-1] == "remove"
    assert not (tmp_path.parent / "escaped").exists()


def test_a_file_that_went_in_is_not_written_over(tmp_path: Path) -> None:
    container = FakeContainer()
    (tmp_path / "reports").mkdir()
    old = tmp_path / "reports/manifest.json"
    old.write_text("old")
    container.gives[f"{tmp_path}/reports"] = {"reports/manifest.json": b"new"}
    run = runner(container, Said(), tmp_path)
    run.job = Job(**{**vars(run.job), "files": [old]})

    run.run()

    assert old.read_text() == "old"


def test_a_socket_that_is_not_there_names_the_option(tmp_path: Path) -> None:
    run = runner(FakeContainer(), Said(), tmp_path, socket="/no.sock")
    run.client.refusal = "invalid mount config: bind source path does not exist: /no.sock"  # type: ignore[attr-defined]

    with pytest.raises(UserInputError, match=r"--engine-socket: got /no\.sock, which is not there"):
        run.run()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    container = FakeContainer()
    run = runner(container, Said(), tmp_path)
    (tmp_path / "a.py").unlink()

    with pytest.raises(UserInputError, match=r"what the run needs: got .*a\.py \(No such file"):
        run.run()

    assert container.done[-1] == "remove"


@pytest.mark.parametrize(
    ("system", "host", "platform", "socket"),
    [
        ("Debian GNU/Linux 12", "unix:///var/run/docker.sock", "linux", "/var/run/docker.sock"),
        ("Ubuntu", "unix:///run/user/1000/docker.sock", "linux", "/run/user/1000/docker.sock"),
        ("Docker Desktop", "unix:///home/u/.docker/desktop/docker.sock", "linux", SOCKET),
        ("Docker Desktop", "unix:///Users/u/.docker/run/docker.sock", "darwin", SOCKET),
        ("Alpine Linux", "unix:///Users/u/.colima/docker.sock", "darwin", SOCKET),
        ("Debian GNU/Linux 12", "ssh://root@far", "linux", SOCKET),
    ],
)
def test_the_engines_socket_is_where_the_engine_has_it(system: str, host: str, platform: str, socket: str) -> None:
    assert socket_of({"OperatingSystem": system}, host, platform) == socket


def test_files_keep_their_place_and_their_executable_bit(tmp_path: Path) -> None:
    script, link = tmp_path / "check.sh", tmp_path / "link.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    link.symlink_to(script)

    with tarfile.open(fileobj=io.BytesIO(archive_of([script, link], {"/opt/x": b"1"}))) as archive:
        found = {f"/{member.name}": member for member in archive}

    assert {name: (member.mode, member.isfile()) for name, member in found.items()} == {
        str(script): (0o755, True),
        str(link): (0o755, True),
        "/opt/x": (0o644, True),
    }
