"""Every command of a run's compose project is bounded, that of testcontainers as well, and ends with all that it started."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from pytest_rmqha.adapters import compose
from pytest_rmqha.adapters.compose import ComposeProject
from pytest_rmqha.errors import StackNotUp

HANGS = "sleep 30 & echo $! >{child}; wait"


@pytest.fixture
def project(tmp_path: Path) -> ComposeProject:
    return ComposeProject("rmqha-it", [tmp_path / "stack.yaml"], {"RMQHA_BROKER_IMAGE": "b"})


@pytest.fixture
def child(tmp_path: Path) -> Path:
    return tmp_path / "child"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is run in place of docker: its body is to be written."""
    client = tmp_path / "bin" / "docker"
    client.parent.mkdir()
    client.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(client.parent), prepend=":")
    return client


def test_the_start_names_its_services_and_is_in_a_session_of_its_own(
    docker: Path, project: ComposeProject, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    docker.write_text(
        f'#!/bin/sh\nread -r _ _ _ _ _ session _ </proc/$$/stat\necho "$*" >{told}\n'
        f'echo "$session $$" >>{told}\necho "$COMPOSE_PROJECT_NAME $RMQHA_BROKER_IMAGE" >>{told}\n'
    )
    project.start("rmqha-toxiproxy")
    words, session, names = told.read_text().splitlines()
    assert words.startswith("compose -f ")
    assert words.endswith(" up --detach rmqha-toxiproxy")
    assert len(set(session.split())) == 1
    assert names == "rmqha-it b"


def test_a_start_that_does_not_end_is_named_with_its_limit_and_goes_with_its_plug_in(
    docker: Path, project: ComposeProject, child: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.write_text("#!/bin/sh\n" + HANGS.format(child=child))
    monkeypatch.setattr(compose, "UP_LIMIT", 1.0)
    with pytest.raises(StackNotUp, match="docker compose up did not end within 1 s"):
        project.start()
    assert not runs(child)


def test_an_interrupt_leaves_no_plug_in_that_goes_on_creating(
    docker: Path, project: ComposeProject, child: Path
) -> None:
    docker.write_text("#!/bin/sh\n" + HANGS.format(child=child))
    threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident or 0, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        project.start()
    assert not runs(child)


def test_a_start_that_fails_says_what_compose_said(docker: Path, project: ComposeProject) -> None:
    docker.write_text("#!/bin/sh\necho no network >&2; exit 1")
    with pytest.raises(StackNotUp, match="docker compose up failed: no network"):
        project.start()


def runs(child: Path) -> bool:
    """Not dead, nor dead and not yet waited for by whoever inherited it."""
    time.sleep(0.2)
    try:
        return Path(f"/proc/{child.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] not in (
            "Z",
            "X",
        )
    except OSError:
        return False


def test_the_digest_of_a_compose_file_is_of_its_services_wherever_it_lies() -> None:
    def of(**changes: object) -> str:
        volumes = [{"type": "bind", "source": "/here/tls", "target": "/tls"}]
        return compose.digest_of(
            {"name": "x", "services": {"a": {"image": "i", "volumes": volumes, **changes}, "b": None}}
        )

    assert of() == of(build={"context": "/there"}) == of(volumes=[{"type": "bind", "source": "/o", "target": "/tls"}])
    assert len({of(), of(environment={"A": "b"}), of(command=["x"]), of(volumes=[]), of(sysctls={"s": 1})}) == 5
