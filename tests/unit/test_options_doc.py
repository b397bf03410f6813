"""docs/options.md is what the table makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_rmqha import setting_values as values
from pytest_rmqha.settings import KNOBS, Knob
from scripts import options

KNOB = Knob("how_much", "1", values.factor, "A|B", "how much it is")


def test_the_page_is_up_to_date() -> None:
    now = options.FILE.read_text(encoding="utf-8")
    assert now == options.page(), "docs/options.md is not what the table says: run python -m scripts.options"


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_every_setting_is_there_under_its_three_names(knob: Knob) -> None:
    line = next(line for line in options.page().splitlines() if f"`{knob.ini}`" in line)
    assert f"`{knob.environment}`" in line
    assert knob.option in line


def test_a_row_of_the_table() -> None:
    told = "| `--rmq-how-much=A\\|B` | `RMQ_HOW_MUCH` | `rmq_how_much` | `1` | how much it is |"
    assert options.row(KNOB) == told


def test_a_setting_without_a_default_is_not_set() -> None:
    assert "| not set |" in options.row(replace(KNOB, default=""))


def test_a_flag_takes_no_value() -> None:
    assert options.row(replace(KNOB, read=values.flag)).startswith("| `--rmq-how-much` |")


def test_every_row_has_as_many_cells_as_its_head() -> None:
    for block in options.page().split("\n\n"):
        rows = [line.replace("\\|", "").count("|") for line in block.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1, block
