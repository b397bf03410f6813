"""The totals of a session: each play's messages once, and those of a demonstration never as the promises' own."""

from __future__ import annotations

from pathlib import Path

from pytest_rmqha.session_report import PASSED, Measured, Run, ScenarioRecord, summary, total_lines


def record(nodeid: str, kind: str, **measured: object) -> ScenarioRecord:
    return ScenarioRecord(("N1",), nodeid, kind, PASSED, 1.0, Measured(**measured))  # type: ignore[arg-type]


def test_tests_of_one_play_saw_the_same_messages() -> None:
    records = [record(name, "promise", play="kill", unknown=7, duplicated=3, outage=1.5) for name in ("a", "b", "c")]

    assert total_lines(records) == [
        "promises: worst outage 1.5 s in c; messages: 0 lost, 3 duplicated, 7 unknown",
    ]


def test_what_a_demonstration_loses_is_not_lost_by_the_promise_that_looks_at_the_same_play() -> None:
    records = [
        record("s1", "demonstration", play="restarts", lost=500),
        record("s2", "promise", play="restarts", lost=500),
        record("n1", "promise", play="kill", lost=0, unknown=2),
    ]

    assert total_lines(records) == [
        "promises: worst outage not measured; messages: 0 lost, 0 duplicated, 2 unknown",
        "demonstrations: worst outage not measured; messages: 500 lost, 0 duplicated, 0 unknown",
    ]


def test_a_promise_that_loses_says_so() -> None:
    (line,) = total_lines([record("n1", "promise", play="kill", lost=4)])

    assert "4 lost" in line


def test_who_keeps_a_stack_is_told_how_to_get_in() -> None:
    run = Run("r", Path("reports/r"), 0.0, "pytest suites/")
    assert not any("kept" in line for line in summary([], [], [], run))

    run.facts["kept"] = ["AMQP 198.18.40.46:5672", "remove it: rmqha down r"]
    lines = summary([], [], [], run)

    at = lines.index("kept, as --rmq-keep says; how to get in:")
    assert lines[at + 1 : at + 3] == ["  AMQP 198.18.40.46:5672", "  remove it: rmqha down r"]
