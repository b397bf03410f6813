"""Where a value comes from, what the header says about it, and what is refused before anything starts."""

from __future__ import annotations

import os

import pytest

from tests.plugin.conftest import Session


def test_the_header_prints_topology_and_seed_always(session: Session) -> None:
    session("", "--rmq-seed=7").stdout.fnmatch_lines(["rmqha: topology 3node (default), seed 7 (option)"])


def test_a_seed_is_drawn_and_printed(session: Session) -> None:
    session().stdout.re_match_lines([r"rmqha: topology 3node \(default\), seed \d+ \(default\)"])


def test_an_option_wins_over_environment_and_ini(
    session: Session, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nrmq_profile = gate\nrmq_version = 4.0\nrmq_budget_scale = 3")
    monkeypatch.setenv("RMQ_PROFILE", "nightly")
    monkeypatch.setenv("RMQ_VERSION", "3.8")

    result = session("", "--rmq-version=4.3")

    result.stdout.fnmatch_lines(
        ["rmqha: *version 4.3 (option), profile nightly (environment RMQ_PROFILE), *budget_scale 3.0 (ini)"]
    )


def test_a_path_in_the_ini_file_counts_from_there(session: Session, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nrmq_reports = evidence")
    inner = pytester.mkdir("inner")
    os.chdir(inner)
    result = session("", "-c", "../tox.ini")
    result.stdout.fnmatch_lines([f"rmqha: *reports {pytester.path / 'evidence'} (ini)"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--rmq-topology=3nodes", "--rmq-topology: got 3nodes; expected *3node*path of a compose file*write 3node*"),
        ("--rmq-topology=./none.yaml", "--rmq-topology: got ./none.yaml; *there is no file */none.yaml*"),
        ("--rmq-version=3.9", "--rmq-version: got 3.9; expected one of 3.8, 3.10, 4.0, 4.3*"),
        ("--rmq-profile=nightley", "--rmq-profile: got nightley; *write nightly*"),
        ("--rmq-seed=x", "--rmq-seed: got x; expected a whole number*"),
        ("--rmq-keep=sometimes", "--rmq-keep: got sometimes; expected one of never, on-failure, always*"),
        ("--rmq-dump=no", "--rmq-dump: got no; expected one of*"),
        ("--rmq-budget-scale=0", "--rmq-budget-scale: got 0; expected a number above 0*"),
        ("--rmq-budget-scale=fast", "--rmq-budget-scale: got fast; expected a number above 0*"),
        ("--rmq-config=nowhere", "--rmq-config: got nowhere; *is not there: name the folder*"),
        ("--rmq-image=My Image", "--rmq-image: got My Image; expected an image reference*"),
        ("--rmq-profile=acceptance", "--rmq-profile: got acceptance; expected one of gate, nightly*"),
        ("--rmq-deadline=0", "--rmq-deadline: got 0; expected a number of minutes above 0*write it as 90*"),
        ("--rmq-deadline=soon", "--rmq-deadline: got soon; expected a number of minutes above 0*"),
        ("--rmq-reuse=A B", "--rmq-reuse: got A B; expected the name of a kept run*"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(session: Session, argument: str, message: str) -> None:
    result = session("def test_it(): pass", argument)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_a_bad_environment_names_the_variable(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQ_PLAN", "perhaps")
    result = session()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: environment RMQ_PLAN: got perhaps; expected 1 or 0*"])


def test_every_marker_is_registered(session: Session) -> None:
    result = session("", "--markers", "--strict-markers")
    for name in ("scenario", "fresh_cluster", "requires", "slo", "allows_log", "variant", "profile"):
        result.stdout.fnmatch_lines([f"@pytest.mark.rmq_{name}(*"])


def test_tests_that_are_none_of_ours_are_left_alone(session: Session, pytester: pytest.Pytester) -> None:
    result = session("def test_it(): pass", "-n2", "--reruns=1")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*RabbitMQ HA*")
    assert not (pytester.path / "reports").exists()
