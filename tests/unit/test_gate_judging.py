"""What a run of the gate says of a change: caught only when a test failed for the right reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.gate import judging, table
from tests.gate.judging import Result, of_harmless, of_mutant, told
from tests.gate.mutants import MUTANTS

IDLE = (
    "BROKEN idle_client_survives: 3 of 3 idle clients were cut while nothing was wrong, the first after 9.0 s, "
    "budget 90 s; heartbeat 20 s, closed; see config/haproxy.cfg:17: timeout client 9s (measured 9, budget 90)"
)


def manifest(*scenarios: tuple[str, str, list[str], str]) -> dict[str, Any]:
    return {
        "scenarios": [
            {"ids": [name], "outcome": outcome, "verdicts": verdicts, "error": error}
            for name, outcome, verdicts, error in scenarios
        ]
    }


@pytest.mark.parametrize(
    ("scenario", "outcome"),
    [
        (("G1", "failed", [IDLE], "InvariantNotUpheld: BROKEN"), judging.CAUGHT),
        (("G1", "failed", ["BROKEN something_else: 1 of 2"], "x"), judging.OTHERWISE),
        (("G1", "harness", [], "BudgetSpent: idle_client_survives"), judging.NO_VERDICT),
        (("G1", "undecided", ["UNDECIDED idle_client_survives: nothing"], "NoVerdict: x"), judging.NO_VERDICT),
        (("G1", "passed", ["HELD idle_client_survives: all well"], ""), judging.MISSED),
        (("G1", "failed", [], "AssertionError: idle_client_survives"), judging.CAUGHT),
    ],
)
def test_only_a_failure_with_the_right_line_is_caught(scenario: Any, outcome: str) -> None:
    result = of_mutant("H05", "idle_client_survives", manifest(scenario), "")

    assert result.outcome == outcome
    assert result.ran == ("G1",)


def test_the_line_that_matches_counts_before_the_others() -> None:
    seen = manifest(("G6", "failed", ["BROKEN other: 1"], "x"), ("G1", "failed", [IDLE], "x"))

    result = of_mutant("H05", "idle_client_survives.*budget 90 s", seen, "")

    assert (result.id, result.measure, result.budget) == ("G1", "idle_client_survives", "90 s")


def test_nothing_that_ran_is_no_verdict() -> None:
    assert of_mutant("H05", ".", manifest(), "").outcome == judging.NO_VERDICT


def test_a_configuration_that_is_refused_is_said_so() -> None:
    said = "ERROR: configuration: got 1 error before anything was started:\n  haproxy.cfg:23: error: no"

    assert of_mutant("H23", ".", None, said).outcome == judging.REFUSED
    assert of_mutant("H23", ".", None, "Segmentation fault").outcome == judging.NO_VERDICT


def test_a_harmless_change_is_green_or_a_false_alarm() -> None:
    good = ("G6", "passed", ["HELD connections_are_spread: well"], "")

    assert of_harmless("leastconn", manifest(good), "").outcome == judging.GREEN
    for bad in (("G6", "failed", ["BROKEN x: 1"], "x"), ("G6", "harness", [], "ToolFailed: x")):
        assert of_harmless("leastconn", manifest(good, bad), "").outcome == judging.FALSE_ALARM
    assert of_harmless("leastconn", None, "").outcome == judging.FALSE_ALARM


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        (IDLE, ("idle_client_survives", "3", "90 s")),
        ("BROKEN connections_are_spread: the busiest broker has 100 % of them, budget 67 %: {}", ("connections_are_spread", "100 %", "67 %")),
        ("InvariantNotUpheld: waited in vain for rmq3 DOWN (8.0 s of 8 s, 70 tries)", ("InvariantNotUpheld", "3", "8 s")),
    ],
)  # fmt: skip
def test_measure_value_and_budget_are_read_from_a_line(line: str, facts: tuple[str, str, str]) -> None:
    assert (told(line)[0], told(line)[2]) == (facts[0], facts[2])


def test_the_table_has_a_row_for_every_mutant_and_keeps_what_is_around_it(tmp_path: Path) -> None:
    page = tmp_path / "gate.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")

    table.write(page, {"H05": Result("H05", judging.CAUGHT, "G1", line=IDLE, preflight=False)})

    text = page.read_text()
    assert text.startswith("before\n") and text.endswith(f"{table.END}\nafter\n") and "\nold\n" not in text
    assert all(f"| {mutant.id} |" in text for mutant in MUTANTS)
    assert "1 caught" in text and "Of 1 that no look at the files sees, the gate caught 1." in text


def test_a_page_without_its_marks_is_not_written_to(tmp_path: Path) -> None:
    page = tmp_path / "gate.md"
    page.write_text("nothing\n")

    with pytest.raises(ValueError, match="bench: begin"):
        table.write(page, {})
