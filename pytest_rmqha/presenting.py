"""What a scenario's own test shows beside its verdict: its labels, the plot and ledger of what was seen, its numbers."""

from __future__ import annotations

import pytest

from pytest_rmqha.adapters import allure
from pytest_rmqha.catalogue import CHAPTERS
from pytest_rmqha.markers import MARKS
from pytest_rmqha.observation import Observed, present
from pytest_rmqha.session_report import MEASURED, RUN


def label(item: pytest.Function) -> None:
    marks = item.stash[MARKS]
    first = marks.scenarios[0]
    chapter = f"{first.chapter} {CHAPTERS.get(first.chapter, 'Own scenarios')}"
    allure.label(ids=marks.ids, chapter=chapter, titles={s.id: s.title for s in marks.scenarios}, kind=marks.kind)


def show(item: pytest.Item, seen: Observed) -> None:
    run = item.config.stash[RUN]
    try:
        item.stash[MEASURED] = present(seen, run.folder)
        item.user_properties += seen.properties()
        allure.write_performance(item.config.getoption("allure_report_dir", None), seen.name, seen.performance())
    except Exception as error:  # a picture that can't be drawn must not hide the verdict
        item.add_report_section(
            "call", "rmqha", f"no plot and no ledger for {seen.name}: {type(error).__name__}: {error}"
        )
