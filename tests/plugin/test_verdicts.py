"""Red stays red: what counts as a verdict, who is to blame, and what the summary says of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.plugin.conftest import Session, installed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("assert True", "*NoVerdict: the scenario asserts nothing*"),
        ('pytest.skip("not today")', "*NoVerdict: the scenario left by skipped (not today)*"),
        ('pytest.xfail("known")', "*NoVerdict: the scenario left by xfailed (known)*"),
    ],
)
def test_a_scenario_without_a_verdict_is_red(session: Session, body: str, message: str) -> None:
    result = session(f'@pytest.mark.rmq_scenario("N1")\ndef test_it(): {body}')

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.fnmatch_lines(["N1   NO VERDICT: undecided*", "1 Node failure*0 passed, 0 failed, 1 undecided"])


def test_a_scenario_that_nobody_could_watch_is_red(session: Session, pytester: pytest.Pytester) -> None:
    result = session(
        'import unittest as u\n@pytest.mark.rmq_scenario("N1")\nclass TestIt(u.TestCase):\n    def test_it(self): pass',
        "--junitxml=junit.xml",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert 'failures="1"' in (pytester.path / "junit.xml").read_text(), "every report says what the verdict is"
    result.stdout.fnmatch_lines(["N1   NO VERDICT: undecided*"])


@pytest.mark.parametrize("caught", ["broken()", "judge(Verdict(Outcome.UNDECIDED, 'x', 'nothing happened', ()))"])
def test_a_red_verdict_that_somebody_catches_is_red(session: Session, caught: str) -> None:
    result = session(
        f"""
        @pytest.mark.rmq_scenario("N1")
        def test_it():
            holds()
            try:
                {caught}
            except BaseException:
                pass
        """
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["N1   FAILED*" if caught == "broken()" else "N1   NO VERDICT: undecided*"])


def test_a_fixture_that_skips_leaves_the_run_red(session: Session) -> None:
    result = session(
        """
        @pytest.fixture
        def nothing(): pytest.skip("no engine")

        @pytest.mark.rmq_scenario("N1")
        def test_it(nothing): holds()
        """
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["N1   NO VERDICT: undecided*"])


def test_the_stack_and_the_harness_are_told_apart(session: Session) -> None:
    result = session(
        """
        @pytest.mark.rmq_scenario("N1", "V11")
        def test_stack(): broken()

        @pytest.mark.rmq_scenario("N2")
        def test_harness():
            holds()
            raise NotHealed("the pause is still there")

        @pytest.fixture
        def down():
            yield
            raise NotHealed("the cut is still there")

        @pytest.mark.rmq_scenario("N3")
        def test_teardown(down): holds()
        """
    )
    result.stdout.fnmatch_lines(
        [
            "N1   FAILED*",
            "*InvariantNotUpheld: BROKEN nothing_confirmed_is_lost: 3 confirmed*(test_scenarios.py::test_stack)",
            "N2   NO VERDICT: the harness failed*",
            "*NotHealed: the pause is still there*",
            "N3   NO VERDICT: the harness failed*",
            "*NotHealed: the cut is still there*",
            "V11  FAILED*",
            "1 Node failure*0 passed, 1 failed, 2 undecided",
            "7 Balancers and VIP*0 passed, 1 failed, 0 undecided",
        ]
    )


def test_the_summary_adds_up_what_was_measured(session: Session, pytester: pytest.Pytester) -> None:
    result = session(
        """
        @pytest.mark.parametrize("outage", [1.5, 4.25])
        @pytest.mark.rmq_scenario("N1")
        def test_promise(request, outage):
            request.node.stash[MEASURED] = Measured(outage=outage, lost=0, duplicated=2, unknown=1)
            holds()

        @pytest.mark.rmq_scenario("S1")
        def test_demonstration(request):
            request.node.stash[MEASURED] = Measured(lost=500)
            holds()
        """,
        "--rmq-seed=5",
        "--junitxml=junit.xml",
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "N1   passed in 2 tests, outage 4.2 s  SIGKILL*",
            "S1   passed *[[]demonstration]",
            "promises: worst outage 4.2 s in *test_promise[[]4.25]; messages: 0 lost, 4 duplicated, 2 unknown",
            "demonstrations: worst outage not measured; messages: 500 lost, 0 duplicated, 0 unknown",
            "again: pytest *--rmq-seed=5*",
            f"reports: {pytester.path}/reports/*",
        ]
    )
    junit = (pytester.path / "junit.xml").read_text()
    assert '<property name="rmq.scenario" value="N1" />' in junit
    assert '<property name="rmq.lost" value="500" />' in junit


def test_the_rerun_command_names_a_seed_that_was_drawn(session: Session) -> None:
    result = session('@pytest.mark.rmq_scenario("N1")\ndef test_it(): holds()', "-q", "--rmq-keep=never")
    result.stdout.re_match_lines([r"again: pytest .*-q --rmq-keep=never --rmq-seed=\d+$"])


def test_sigterm_tears_down_and_writes_the_reports(session: Session, pytester: pytest.Pytester) -> None:
    session(
        """
        import pathlib, time

        @pytest.fixture
        def stack():
            yield
            pathlib.Path("torn-down").touch()

        @pytest.mark.rmq_scenario("N1")
        def test_first(stack): holds()

        @pytest.mark.rmq_scenario("N2")
        def test_second(stack):
            pathlib.Path("begun").touch()
            time.sleep(60)

        @pytest.mark.rmq_scenario("N3")
        def test_third(stack): holds()
        """,
        "--collect-only",
    )
    plugin = [] if installed() else ["-p", "pytest_rmqha.plugin"]
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", *plugin, "--junitxml=junit.xml"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    deadline = time.monotonic() + 30
    while not (pytester.path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    (pytester.path / "torn-down").unlink()
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=30)

    assert running.returncode == pytest.ExitCode.INTERRUPTED
    assert (pytester.path / "torn-down").exists()
    assert (pytester.path / "junit.xml").exists()
    assert "not reached, the session ended before: N2 N3" in said
    assert list((pytester.path / "reports").glob("*/manifest.json"))
