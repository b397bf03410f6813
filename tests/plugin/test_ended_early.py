"""A session that ends before its scenarios do has a manifest, an exit code and a sentence; random numbers repeat with the seed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugin.conftest import Session

TWO = """
@pytest.mark.rmq_scenario("N1")
def test_one():
    {body}


@pytest.mark.rmq_scenario("N2")
def test_two():
    holds()
"""


def manifest(pytester: pytest.Pytester) -> dict[str, Any]:
    [file] = (pytester.path / "reports").glob("*/manifest.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("raise KeyboardInterrupt", pytest.ExitCode.INTERRUPTED),
        ("pytest.exit('the stack did not suit', returncode=4)", pytest.ExitCode.USAGE_ERROR),
    ],
)
def test_a_run_that_ends_in_its_first_scenario_has_a_manifest(
    session: Session, pytester: pytest.Pytester, body: str, status: int
) -> None:
    assert session(TWO.format(body=body)).ret == status
    found = manifest(pytester)
    assert found["exit_status"] == status
    assert found["scenarios"] == []
    assert [name.partition("::")[2] for name in found["not_reached"]] == ["test_one", "test_two"]


@pytest.mark.parametrize("ends", ["raise KeyboardInterrupt", "import os; os.kill(os.getpid(), 9)"])
def test_a_red_verdict_stands_when_the_session_ends_in_its_teardown(
    session: Session, pytester: pytest.Pytester, ends: str
) -> None:
    """The last test's teardown is the stack's, too, and takes seconds: a run that resumes this one must not try it again."""
    fixture = f"""
        @pytest.fixture
        def stack():
            yield
            {ends}

        @pytest.mark.rmq_scenario("N1")
        def test_one(stack): broken()

        @pytest.mark.rmq_scenario("N2")
        def test_two(): holds()
        """

    session(fixture)

    found = manifest(pytester)
    assert [(s["nodeid"].partition("::")[2], s["outcome"]) for s in found["scenarios"]] == [("test_one", "failed")]
    assert [name.partition("::")[2] for name in found["not_reached"]] == ["test_two"]


def test_a_run_that_is_killed_in_its_first_scenario_has_a_manifest(session: Session, pytester: pytest.Pytester) -> None:
    session(TWO.format(body="import os; os.kill(os.getpid(), 9)"))
    found = manifest(pytester)
    assert (found["exit_status"], found["unfinished"], len(found["not_reached"])) == (None, True, 2)


@pytest.mark.parametrize("arguments", [("--rmq-plan",), ("--collect-only",)])
def test_looking_writes_no_manifest(session: Session, pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    session(TWO.format(body="holds()"), *arguments)
    assert not (pytester.path / "reports").exists()


def test_a_deadline_ends_the_session_and_is_named(session: Session, pytester: pytest.Pytester) -> None:
    result = session(TWO.format(body="import time; time.sleep(30)"), "--rmq-deadline=0.03")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["ENDED: the deadline of 0.03 minutes (--rmq-deadline) has passed", "not reached*: N1 N2"]
    )
    found = manifest(pytester)
    assert found["ended_by"] == "the deadline of 0.03 minutes (--rmq-deadline) has passed"
    assert found["settings"]["deadline"] == {"value": 0.03, "source": "option"}


DRAWS = """
import random


@pytest.mark.rmq_scenario("N1")
def test_one(rmq_random):
    print("drawn", random.random(), rmq_random.random())
    holds()


@pytest.mark.rmq_scenario("N2")
def test_two(rmq_random):
    print("drawn", random.random(), rmq_random.random())
    holds()
"""


def drawn(session: Session, *arguments: str) -> list[str]:
    return [line for line in session(DRAWS, "-s", *arguments).outlines if "drawn" in line]


def test_random_numbers_are_those_of_seed_and_test(session: Session) -> None:
    both = drawn(session, "--rmq-seed=7")
    assert len(set(both)) == len(both) == 2
    numbers = [line.partition("drawn")[2] for line in both]
    assert [line.partition("drawn")[2] for line in drawn(session, "--rmq-seed=7", "-k", "two")] == numbers[1:]
    assert numbers[0] not in "".join(drawn(session, "--rmq-seed=8"))


def test_a_session_that_is_refused_writes_no_manifest(session: Session, pytester: pytest.Pytester) -> None:
    assert session(TWO.format(body="holds()"), "--rmq-resume=no-such-run").ret == pytest.ExitCode.USAGE_ERROR
    assert session(TWO.format(body="holds()"), "--rmq-shard=1/9").ret == pytest.ExitCode.USAGE_ERROR
    assert not list(pytester.path.glob("reports/*/manifest.json"))
