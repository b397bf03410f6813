"""What runs, in which order, what is left out, and that this is always said."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import Session

SCENARIOS = """
@pytest.mark.rmq_scenario("N1")
def test_promise(): holds()

@pytest.mark.rmq_scenario("N8")
def test_demonstration(): holds()

@pytest.mark.rmq_scenario("N6")
@pytest.mark.rmq_requires("mirrors")
def test_mirrors(): holds()

@pytest.mark.rmq_scenario("C2")
@pytest.mark.rmq_requires("ram", "five_nodes")
def test_ram(): holds()

@pytest.mark.rmq_scenario("L8")
@pytest.mark.rmq_profile("nightly")
def test_campaign(): holds()

@pytest.mark.rmq_scenario("P2")
@pytest.mark.rmq_variant("preempt")
def test_variant(): holds()
"""


def test_what_is_left_out_is_listed_with_its_reason(session: Session) -> None:
    result = session(SCENARIOS, "--rmq-version=4.0")

    result.assert_outcomes(passed=3, deselected=3)
    result.stdout.fnmatch_lines_random(
        [
            "left out, line 4.0 has no mirrored queues, lines 3.8, 3.10 have: N6",
            "left out, three has disc nodes only; three has 3 of the 5 brokers it takes: C2",
            "left out, profile gate has it not, nightly has: L8",
        ]
    )


def test_somebodys_own_configuration_meets_promises_only(session: Session, pytester: pytest.Pytester) -> None:
    pytester.mkdir("theirs").joinpath("haproxy.cfg").write_text("global\n")

    result = session(SCENARIOS, "--rmq-config=theirs", "--rmq-profile=nightly")

    result.stdout.fnmatch_lines_random(
        [
            "left out, a demonstration sets an unsafe thing itself: it runs on *: N8 C2 (2 tests)",
            "left out, variant preempt changes the reference configuration*: P2",
            "L8   passed*",
        ]
    )


def test_what_the_command_line_leaves_out_is_listed_too(session: Session) -> None:
    result = session(SCENARIOS, "-k", "promise")
    result.stdout.fnmatch_lines(["left out, not chosen on the command line*: N6 N8 P2 C2 L8 (5 tests)"])


def test_the_manifest_lists_settings_and_what_was_left_out(session: Session, pytester: pytest.Pytester) -> None:
    session(SCENARIOS, "--rmq-seed=11", "--rmq-version=4.3")

    (folder,) = (pytester.path / "reports").iterdir()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == 11
    assert manifest["settings"]["version"] == {"value": "4.3", "source": "option"}
    assert {name for one in manifest["left_out"] for name in one["ids"]} == {"N6", "C2", "L8"}
    assert all(one["reason"] for one in manifest["left_out"])
    assert {name for one in manifest["scenarios"] for name in one["ids"]} == {"N1", "N8", "P2"}
    assert "manifest.json" in (folder / "SHA256SUMS").read_text()


def test_when_everything_is_left_out_the_run_is_not_green(session: Session) -> None:
    result = session('@pytest.mark.rmq_scenario("C2")\n@pytest.mark.rmq_requires("ram")\ndef test_it(): holds()')
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_chapters_in_order_each_variant_once_fresh_clusters_last(session: Session) -> None:
    result = session(
        """
        @pytest.mark.rmq_scenario("N3")
        @pytest.mark.rmq_fresh_cluster
        def test_7(): holds()

        @pytest.mark.rmq_scenario("P2")
        @pytest.mark.rmq_variant("autoheal")
        def test_4(): holds()

        @pytest.mark.rmq_scenario("V1")
        def test_3(): holds()

        def test_0(): pass

        @pytest.mark.rmq_scenario("P3")
        @pytest.mark.rmq_variant("ignore")
        def test_6(): holds()

        @pytest.mark.rmq_scenario("N1")
        def test_1(): holds()

        @pytest.mark.rmq_scenario("V2")
        @pytest.mark.rmq_variant("autoheal")
        def test_5(): holds()

        @pytest.mark.rmq_scenario("N2")
        def test_2(): holds()
        """,
        "-v",
    )
    ran = [line.split("::test_")[1][0] for line in result.outlines if "::test_" in line and "PASSED" in line]
    assert ran == ["1", "2", "3", "0", "4", "5", "6", "7"]


def test_somebodys_own_scenarios_and_capabilities(session: Session, pytester: pytest.Pytester) -> None:
    session()
    conftest = pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text()
        + """
from pytest_rmqha.catalogue import Scenario

def pytest_rmqha_scenarios(config):
    return [Scenario("X1", 10, "our own")]

def pytest_rmqha_capabilities(config):
    return {"gpu": lambda topology, line: "" if line == "9" else "no gpu"}
"""
    )
    result = session(
        """
        @pytest.mark.rmq_scenario("X1")
        def test_own(): holds()

        @pytest.mark.rmq_scenario("N1")
        @pytest.mark.rmq_requires("gpu")
        def test_gpu(): holds()
        """
    )
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["X1   passed*", "10 Own scenarios*1 passed*", "left out, no gpu: N1"])


@pytest.mark.parametrize("look", ["--rmq-plan", "--collect-only"])
def test_the_plan_runs_nothing_and_needs_no_docker(
    session: Session, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    session()
    (pytester.path / "conftest.py").write_text("")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    result = session(SCENARIOS, look, "--rmq-topology=3node", "--rmq-version=4.3")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*RabbitMQ HA plan*", "*1 N1*promise*test_promise", "*SIGKILL the leader's node*"])
    result.stdout.fnmatch_lines(["left out, line 4.3 has no mirrored queues*"])
    assert not (pytester.path / "reports").exists()
