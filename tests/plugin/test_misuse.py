"""Wrong markers and wrong company: one clear message, before anything starts."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Session


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ('rmq_scenario("N99")', "marker rmq_scenario: id: got 'N99'*"),
        ("rmq_scenario()", "marker rmq_scenario: scenario ids: got none; *"),
        (
            'rmq_scenario("N1", kind="promis")',
            "marker rmq_scenario: kind: got 'promis'; expected promise or demonstration*",
        ),
        (
            'rmq_scenario("N1", chapter=1)',
            "marker rmq_scenario: arguments: got ('N1', chapter=1); expected rmq_scenario(*",
        ),
        ('rmq_scenario("N1", "N8")', "marker rmq_scenario: kind: got N1 is a promise, N8 is a demonstration, N2*"),
        ('rmq_requires("mirors")', "marker rmq_requires: capability: got 'mirors'; *write mirrors*"),
        ("rmq_requires()", "marker rmq_requires: capabilities: got none; *"),
        ("rmq_fresh_cluster(1)", "marker rmq_fresh_cluster: arguments: got (1); expected rmq_fresh_cluster()*"),
        ("rmq_slo(publishin=3)", "marker rmq_slo: budget: got 'publishin'; *write publishing*"),
        ("rmq_slo(publishing=0)", "marker rmq_slo: budget publishing: got 0; *"),
        ('rmq_allows_log("x")', "marker rmq_allows_log: arguments: *missing a required*reason*"),
        ('rmq_allows_log("(", reason="it fails")', "marker rmq_allows_log: pattern: *regular expression*"),
        ('rmq_variant("../x")', "marker rmq_variant: variant: *"),
        ('rmq_profile("night")', "marker rmq_profile: profile: got 'night'; *write nightly*"),
        ('rmq_senario("N1")', "marker rmq_senario: marker: *write rmq_scenario*"),
        ('xfail(reason="known")', "marker xfail: not on a scenario: *"),
        ('skip(reason="slow")', "marker skip: not on a scenario: *"),
        ("flaky(reruns=2)", "marker flaky: not on a scenario: a verdict is never retried*"),
    ],
)
def test_a_wrong_marker_names_the_test_and_the_marker(session: Session, marker: str, message: str) -> None:
    result = session(f'@pytest.mark.{marker}\n@pytest.mark.rmq_scenario("N2")\ndef test_it(): holds()')

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_scenarios.py::test_it: {_literal(message)}"])
    result.stdout.no_fnmatch_line("*passed*")


def _literal(message: str) -> str:
    """Square brackets mean themselves."""
    return message.replace("[", "[[]")


def test_a_marker_without_a_scenario_means_nothing(session: Session) -> None:
    result = session("@pytest.mark.rmq_fresh_cluster\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it: marker rmq_fresh_cluster: means nothing without rmq_scenario*"])


def test_all_wrong_markers_are_listed_at_once(session: Session) -> None:
    result = session('@pytest.mark.rmq_scenario("X1")\ndef test_a(): pass\n@pytest.mark.rmq_slo()\ndef test_b(): pass')
    result.stderr.fnmatch_lines(["*test_a: *X1*", "*test_b: *budgets: got none*"])


@pytest.mark.parametrize("ini", [False, True], ids=["option", "ini"])
def test_a_verdict_is_never_retried(session: Session, pytester: pytest.Pytester, ini: bool) -> None:
    if ini:
        pytester.makeini("[pytest]\nreruns = 2")
    result = session('@pytest.mark.rmq_scenario("N1")\ndef test_it(): broken()', *([] if ini else ["--reruns=2"]))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --reruns: got 2; *a verdict is never retried*"])


def test_workers_of_xdist_run_no_scenario(session: Session) -> None:
    result = session('@pytest.mark.rmq_scenario("N1")\ndef test_it(): holds()', "-n2")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["ERROR: -n: got workers; allowed with scenarios: -n0, one cluster at a time*"])
    result.stdout.no_fnmatch_line("*passed*")


def test_no_workers_are_no_workers(session: Session) -> None:
    assert session('@pytest.mark.rmq_scenario("N1")\ndef test_it(): holds()', "-n0").ret == pytest.ExitCode.OK
