"""The imitated entrypoint of the official image (tests/live/official), run here with programs that only say how they were called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).parents[1] / "live" / "official" / "docker-entrypoint.sh"
SAYS = '#!/bin/sh\necho "${0##*/} $*"\n'


def said(place: Path, *command: str, uid: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    programs = dict.fromkeys(("find", "setpriv", "rabbitmq-server", "rabbitmqctl", "other"), SAYS)
    for name, script in {**programs, "id": f"#!/bin/sh\necho {uid}\n"}.items():
        (place / name).write_text(script)
        (place / name).chmod(0o755)
    environment = {"PATH": f"{place}:/usr/bin:/bin", "RABBITMQ_DATA_DIR": "/data", **variables}
    return subprocess.run(["sh", str(ENTRYPOINT), *command], capture_output=True, text=True, env=environment)


def test_the_server_started_by_root_owns_its_data_and_steps_down(tmp_path: Path) -> None:
    assert said(tmp_path, "rabbitmq-server", "-x").stdout.splitlines() == [
        "find /data ! -user rabbitmq -exec chown rabbitmq {} +",
        f"setpriv --reuid rabbitmq --regid rabbitmq --init-groups {ENTRYPOINT} rabbitmq-server -x",
    ]


def test_a_tool_started_by_root_steps_down_and_touches_no_data(tmp_path: Path) -> None:
    assert said(tmp_path, "rabbitmqctl", "status").stdout.splitlines() == [
        f"setpriv --reuid rabbitmq --regid rabbitmq --init-groups {ENTRYPOINT} rabbitmqctl status"
    ]


@pytest.mark.parametrize(("program", "uid"), [("rabbitmq-server", 999), ("rabbitmqctl", 1234), ("other", 0)])
def test_somebody_elses_user_and_command_are_kept(tmp_path: Path, program: str, uid: int) -> None:
    assert said(tmp_path, program, "a b", uid=uid).stdout == f"{program} a b\n"


@pytest.mark.parametrize(
    "name", ["SSL_VERIFY", "MANAGEMENT_SSL_KEYFILE", "DEFAULT_PASS_FILE", "VM_MEMORY_HIGH_WATERMARK"]
)
def test_a_variable_that_became_a_key_is_refused_by_name(tmp_path: Path, name: str) -> None:
    done = said(tmp_path, "rabbitmq-server", uid=999, **{f"RABBITMQ_{name}": "x"})

    assert (done.returncode, done.stdout) == (1, "")
    assert f"RABBITMQ_{name}=" in done.stderr


def test_other_variables_are_nobodys_business(tmp_path: Path) -> None:
    variables = {"RABBITMQ_DEFAULT_PASS": "x", "RABBITMQ_ERLANG_COOKIE": "x", "MY_RABBITMQ_SSL_VERIFY": "x"}
    assert said(tmp_path, "rabbitmq-server", uid=999, **variables).stdout == "rabbitmq-server \n"
