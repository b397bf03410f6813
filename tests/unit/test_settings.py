"""One table of settings: where a value comes from, what it may be, and the command that repeats a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.settings import KNOBS, Settings, resolve


def settled(
    option: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    ini: dict[str, str] | None = None,
    here: Path = Path("/here"),
    beside_ini: Path = Path("/ini"),
) -> Settings:
    return resolve(
        lambda knob: (option or {}).get(knob.name),
        environment or {},
        lambda knob: (ini or {}).get(knob.name),
        here=here,
        beside_ini=beside_ini,
        draw=lambda: 42,
    )


def test_defaults() -> None:
    settings = settled()
    assert (settings.topology, settings.version, settings.profile, settings.keep) == ("3node", "3.10", "gate", "never")
    assert (settings.seed, settings.budget_scale, settings.plan, settings.config) == (42, 1.0, False, None)
    assert set(settings.sources.values()) == {"default"}
    assert settings.is_reference


@pytest.mark.parametrize(
    ("given", "version", "source"),
    [
        (
            {"option": {"version": "3.8"}, "environment": {"RMQ_VERSION": "4.0"}, "ini": {"version": "4.3"}},
            "3.8",
            "option",
        ),
        ({"environment": {"RMQ_VERSION": "4.0"}, "ini": {"version": "4.3"}}, "4.0", "environment RMQ_VERSION"),
        ({"environment": {"RMQ_VERSION": ""}, "ini": {"version": "4.3"}}, "4.3", "ini"),
    ],
)
def test_the_nearest_source_wins_and_is_remembered(given: dict[str, dict[str, str]], version: str, source: str) -> None:
    settings = settled(**given)  # type: ignore[arg-type]
    assert (settings.version, settings.sources["version"]) == (version, source)


def test_three_spellings_of_each_setting() -> None:
    knob = next(knob for knob in KNOBS if knob.name == "budget_scale")
    assert (knob.option, knob.environment, knob.ini) == ("--rmq-budget-scale", "RMQ_BUDGET_SCALE", "rmq_budget_scale")
    assert all(knob.help for knob in KNOBS)


def test_relative_paths_count_from_where_they_are_written() -> None:
    assert settled(option={"reports": "out"}).reports == Path("/here/out")
    assert settled(ini={"reports": "out"}).reports == Path("/ini/out")


def test_somebodys_own_compose_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").touch()
    settings = settled(option={"topology": "own.yaml"}, here=tmp_path)
    assert settings.topology_name == "own"
    assert settings.topology_file == tmp_path / "own.yaml"
    assert not settings.is_reference


def test_a_configuration_folder(tmp_path: Path) -> None:
    for name in ("haproxy.cfg", "README.md", "check.sh", "lb1/keepalived.conf", "server.pem"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("bind :5671 ssl crt /etc/haproxy/server.pem\n")
    settings = settled(option={"config": str(tmp_path)})
    assert settings.config == tmp_path
    assert not settings.is_reference


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "holds none of them"),
        (["README.md"], "holds none of them"),
        (["haproxy.cfg", "rabbitmq.config"], "nothing reads rabbitmq.config, .*write rabbitmq.conf"),
        (["haproxy.cfg", "lb1/keepalive.conf"], "nothing reads lb1/keepalive.conf, .*write keepalived.conf"),
        (["haproxy.cfg", "a.pem", "b.pem"], "nothing reads a.pem and 1 more"),
    ],
)
def test_a_file_that_nothing_reads_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UserInputError, match=message):
        settled(option={"config": str(tmp_path)})


def test_the_header_shows_what_is_not_default() -> None:
    line = settled(option={"version": "4.0"}, environment={"RMQ_SEED": "7"}).header()[0]
    assert line == "rmqha: topology 3node (default), version 4.0 (option), seed 7 (environment RMQ_SEED)"


def test_the_rerun_command_repeats_environment_and_seed() -> None:
    settings = settled(option={"version": "4.0"}, environment={"RMQ_PROFILE": "nightly"})
    again = settings.rerun_command(["suites/", "-k", "a or b", "--rmq-version=4.0"])
    assert again == "RMQ_PROFILE=nightly pytest suites/ -k 'a or b' --rmq-version=4.0 --rmq-seed=42"


def test_the_rerun_command_does_not_name_a_given_seed_twice() -> None:
    assert settled(option={"seed": "7"}).rerun_command(["--rmq-seed=7"]) == "pytest --rmq-seed=7"
