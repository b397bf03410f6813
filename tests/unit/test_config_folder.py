"""A folder of ordinary files is dealt out to the members: whose a file is, where it goes, and which one wins."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pytest_rmqha.config.folder import files_of, layered
from pytest_rmqha.errors import UserInputError


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def contents(folders: list[Path], member: str, role: str) -> dict[str, bytes]:
    return {name: file.content for name, file in layered(folders, member, role).items()}


def test_a_broker_gets_the_files_that_a_broker_reads(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="a", enabled_plugins="b", haproxy_dot_cfg="c", README_dot_md="d")

    assert {name: file.target for name, file in files_of(tmp_path, "rmq1", "broker").items()} == {
        "rabbitmq.conf": "/etc/rabbitmq/rabbitmq.conf",
        "enabled_plugins": "/etc/rabbitmq/enabled_plugins",
    }


def test_a_balancer_gets_its_files_and_its_scripts(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="a", haproxy_dot_cfg="b", lb1__keepalived_dot_conf="c", notify_dot_sh="d")

    assert {name: file.target for name, file in files_of(tmp_path, "lb1", "balancer").items()} == {
        "haproxy.cfg": "/etc/haproxy/haproxy.cfg",
        "keepalived.conf": "/etc/keepalived/keepalived.conf",
        "notify.sh": "/etc/keepalived/notify.sh",
    }
    assert "keepalived.conf" not in files_of(tmp_path, "lb2", "balancer")


def test_bytes_stay_as_they_are(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbfa = 1\r\n\xff"
    (tmp_path / "rabbitmq.conf").write_bytes(raw)

    file = files_of(tmp_path, "rmq1", "broker")["rabbitmq.conf"]
    assert (file.content, file.origin) == (raw, tmp_path / "rabbitmq.conf")
    assert file.sha256 == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize(("has", "gets"), [(0o644, 0o644), (0o600, 0o644), (0o755, 0o755), (0o700, 0o755)])
def test_a_script_keeps_its_executable_bit(tmp_path: Path, has: int, gets: int) -> None:
    write(tmp_path, check_dot_sh="#!/bin/sh\n")
    (tmp_path / "check.sh").chmod(has)

    assert files_of(tmp_path, "lb1", "balancer")["check.sh"].mode == gets


def test_a_members_own_file_wins_over_everybodys(tmp_path: Path) -> None:
    write(tmp_path, rabbitmq_dot_conf="all", rmq2__rabbitmq_dot_conf="two")

    assert contents([tmp_path], "rmq1", "broker") == {"rabbitmq.conf": b"all"}
    assert contents([tmp_path], "rmq2", "broker") == {"rabbitmq.conf": b"two"}


def test_a_later_folder_wins_and_hides_nothing_else(tmp_path: Path) -> None:
    first, second = tmp_path / "reference", tmp_path / "mine"
    write(first, rabbitmq_dot_conf="old", enabled_plugins="kept", rmq1__advanced_dot_config="own")
    write(second, rabbitmq_dot_conf="new")

    assert contents([first, second], "rmq1", "broker") == {
        "rabbitmq.conf": b"new",
        "enabled_plugins": b"kept",
        "advanced.config": b"own",
    }


def test_what_is_no_folder_holds_nothing(tmp_path: Path) -> None:
    write(tmp_path, rmq1="a file with a member's name", rabbitmq_dot_conf="a")

    assert contents([tmp_path / "nowhere"], "rmq1", "broker") == {}
    assert contents([tmp_path], "rmq1", "broker") == {"rabbitmq.conf": b"a"}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, rabbitmq_dot_conf="a")

    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    with pytest.raises(UserInputError, match=r"rabbitmq\.conf; expected a readable file.*\(Permission denied\)"):
        files_of(tmp_path, "rmq1", "broker")
