"""Passwords of configuration files: not shown, and masked in what is kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_rmqha.adapters import evidence
from pytest_rmqha.adapters.run_secrets import Secrets
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.config.folder import ConfigFile, layered
from pytest_rmqha.config.passwords import passwords_of, veiled

REFERENCE = Path(__file__).resolve().parents[2] / "compose" / "reference"


def file(text: str, name: str = "check.sh") -> ConfigFile:
    return ConfigFile(name, Path(name), f"/etc/{name}", text.encode(), 0o644)


@pytest.mark.parametrize(
    ("line", "password", "shown"),
    [
        ("auth_pass hunter2x", "hunter2x", "auth_pass ***"),
        ("a { auth_type PASS auth_pass hunter2x}", "hunter2x", "a { auth_type PASS auth_pass ***"),
        ("default_pass = Sup3r S3cret # old", "Sup3r S3cret", "default_pass = *** # old"),
        ("default_pass=Sup3r", "Sup3r", "default_pass=***"),
        ("ssl_options.password = 't0p!'", "t0p!", "ssl_options.password = '***'"),
        ("default_users.ops.password = t0p!", "t0p!", "default_users.ops.password = ***"),
        ('{default_pass, <<"Sup3r">>}', "Sup3r", '{default_pass, <<"***">>}'),
        ('{"password_hash":"a/b==","tags":""}', "a/b==", '{"password_hash":"***","tags":""}'),
        ('{"src-uri": "amqp://ops:Sup3r@rmq1"}', "Sup3r", '{"src-uri": "amqp://ops:***@rmq1"}'),
        ("stats auth ops:a:b", "a:b", "stats auth ops:***"),
        ('stats auth "ops:my pass"', "my pass", 'stats auth "ops:***"'),
        ("user tiger password $6$k6y3", "$6$k6y3", "user tiger password ***"),
        ("user scott insecure-password elgato", "elgato", "user scott insecure-password ***"),
        ("exec curl -u monitor:hunter2x http://[::1]/", "hunter2x", "exec curl -u monitor:*** http://[::1]/"),
        ("curl -fsSu monitor:hunter2x x", "hunter2x", "curl -fsSu monitor:*** x"),
        ('curl --user="monitor:hunter2x" x', "hunter2x", 'curl --user="monitor:***" x'),
        ('MONITOR_PASSWORD="hunter 2x" check', "hunter 2x", 'MONITOR_PASSWORD="***" check'),
        ("export RABBIT_PASS=hunter2x", "hunter2x", "export RABBIT_PASS=***"),
        ("rabbitmqadmin -u monitor -p hunter2x list", "hunter2x", "rabbitmqadmin -u monitor -p *** list"),
        ("rabbitmqctl authenticate_user ops hunter2x", "hunter2x", "rabbitmqctl authenticate_user ops ***"),
        ("hdr Authorization Basic\\ Z3Vlc3Q=", "Z3Vlc3Q=", "hdr Authorization Basic\\ ***"),
    ],
)
def test_a_password_is_found_by_what_stands_before_it(line: str, password: str, shown: str) -> None:
    assert veiled(line) == shown
    assert password in passwords_of([file(line)])


@pytest.mark.parametrize(
    "line",
    [
        "password_hashing_module = rabbit_password_hashing_sha512",
        '"hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""',
        '"password_hash": "", "name": "guest"',
        "server rmq1 198.18.40.40:5672 check inter 1s",
        "default_user = guest",
        "auth_type PASS",
        "docker run -u 1000:1000 image",
        "http://127.0.0.1:8405/alive",
    ],
)
def test_what_is_no_password_stays(line: str) -> None:
    assert veiled(line) == line
    assert passwords_of([file(line)]) == frozenset()


def test_a_comment_states_none() -> None:
    assert passwords_of([file("# The password = is asked of the vault\n! auth_pass x1y2z3\n")]) == frozenset()


def test_the_reference_states_none() -> None:
    for member, role in (("rmq1", "broker"), ("lb1", "balancer")):
        stated = passwords_of(layered([REFERENCE], member, role).values())
        assert all(value.startswith("${STATS_PASSWORD") for value in stated)


def test_a_stated_password_is_masked_as_a_whole_word() -> None:
    mask = Secrets().mask

    assert mask("curl -u monitor:hunter2x http", ["hunter2x"]) == "curl -u monitor:*** http"
    assert mask("amqps and amqp", ["amqp"]) == "amqps and ***"
    assert mask("a $6$x.y+ b", ["$6$x.y+"]) == "a *** b"
    assert mask(r'"my\"pass"', ['my"pass']) == '"***"'
    assert mask("long-er and long", ["long", "long-er"]) == "*** and ***"


def test_what_is_short_or_everybodys_word_stays() -> None:
    text = "user guest of rabbitmq has password abc, true"

    assert Secrets().mask(text, ["guest", "abc", "rabbitmq", "password", "true", ""]) == text


def test_the_runs_own_secrets_are_masked_anywhere() -> None:
    secrets = Secrets(cookie="c00kie")

    assert secrets.mask("xc00kiex") == "x***x"


def test_a_dump_masks_what_the_files_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []

    def collect(
        _engine: object, _topology: object, _cluster: object, _folder: Path, mask: Any, *_a: Any, **_k: Any
    ) -> None:
        kept.append(mask("sh -c curl -u monitor:hunter2x; cookie c00kie; user guest"))

    monkeypatch.setattr(evidence, "collect", collect)
    files = {"rmq1": [], "lb1": [file("curl -u monitor:hunter2x http://[::1]"), file("curl -u guest:guest x", "b.sh")]}
    stack = SimpleNamespace(
        dump_policy="on-failure",
        reports=tmp_path,
        secrets=Secrets(cookie="c00kie"),
        config_files=files,
        engine=None,
        topology=None,
        cluster=None,
    )

    Stack.dump(cast(Stack, stack), "red", "it broke")

    assert kept == ["sh -c curl -u monitor:***; cookie ***; user guest"]
