"""What is asked of every stack is asked in every shard; what faults have left, wherever there is one before it."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Session

KILL = """
from pytest_rmqha.faults.fault import Fault

def killed(node) -> Fault: ...

def the_node_is_killed(stage): killed
def another_is_killed(stage): killed
"""
ASKED = """
@pytest.mark.rmq_scenario("G10")
def test_start(): holds()

@pytest.mark.rmq_scenario("G11")
def test_end(): holds()
"""
FIRST = """
@pytest.mark.rmq_scenario("N1")
def test_first(): the_node_is_killed; holds()
"""
SECOND = """
@pytest.mark.rmq_scenario("N2")
def test_second(): another_is_killed; holds()
"""
PEACE = """
@pytest.mark.rmq_scenario("G3")
def test_peace(): holds()
"""
FRESH = """
@pytest.mark.rmq_fresh_cluster
@pytest.mark.rmq_scenario("N2")
def test_fresh(): another_is_killed; holds()
"""


def ran(session: Session, body: str, shard: str) -> list[str]:
    result = session(KILL + ASKED + body, "-v", f"--rmq-shard={shard}", "--rmq-seed=1")
    result.assert_outcomes(passed=len([line for line in result.outlines if " PASSED" in line]))
    return [line.split("::test_")[1].split()[0] for line in result.outlines if "::test_" in line and " PASSED" in line]


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (FIRST + SECOND, [["start", "first", "end"], ["start", "second", "end"]]),
        (FIRST + PEACE, [["start", "first", "end"], ["start", "peace"]]),
        (PEACE + FIRST + FRESH, [["start", "first", "end"], ["start", "fresh"], ["start", "peace"]]),
    ],
    ids=["each-strikes", "one-strikes", "a-fresh-cluster-is-struck-after-it"],
)
def test_each_shard_asks_what_it_can_answer(session: Session, body: str, parts: list[list[str]]) -> None:
    seen = [ran(session, body, f"{n}/{len(parts)}") for n in range(1, len(parts) + 1)]

    assert sorted(seen) == sorted(parts)


def test_where_nothing_strikes_each_shard_says_so_itself(session: Session) -> None:
    """Left out everywhere it would be missing from a green whole."""
    assert ran(session, PEACE, "1/1") == ["start", "peace", "end"]


def test_they_alone_are_dealt_like_any_other(session: Session) -> None:
    assert sorted(ran(session, "", f"{n}/2") for n in (1, 2)) == [["end"], ["start"]]


def test_they_do_not_fill_a_shard(session: Session) -> None:
    result = session(KILL + ASKED + FIRST, "--rmq-shard=1/2")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --rmq-shard: got 1/2; expected at most 1 shards*take fewer shards*"])


def test_who_is_asked_elsewhere_is_said(session: Session) -> None:
    results = [session(KILL + ASKED + FIRST + PEACE, "--rmq-plan", f"--rmq-shard={n}/2") for n in (1, 2)]
    said = [line for result in results for line in result.outlines if "left out" in line and "G11" in line]

    assert len(said) == 1
    assert "belongs to shard" in said[0]
