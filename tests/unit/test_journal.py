"""The timeline of a run that is killed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pytest_rmqha.journal import JOURNAL, Journal
from pytest_rmqha.timeline import Timeline


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / JOURNAL).read_text(encoding="utf-8").splitlines()]


def test_an_event_is_on_disk_when_it_has_been_added(tmp_path: Path) -> None:
    timeline = Timeline()
    journal = Journal(timeline, tmp_path / "run")
    timeline.add("fault.injected", "killed rmq1", "größer", pid=7)
    assert [(e["kind"], e["subject"], e["text"], e["data"]) for e in lines(tmp_path / "run")] == [
        ("fault.injected", "killed rmq1", "größer", {"pid": 7})
    ]
    timeline.add("note", "stack")
    assert len(lines(tmp_path / "run")) == 2
    journal.end(keep=True)


def test_it_goes_when_the_whole_is_written_and_stays_when_it_is_not(tmp_path: Path) -> None:
    for keep in (False, True):
        timeline = Timeline()
        Journal(timeline, tmp_path).end(keep=keep)
        timeline.add("note", "after the end")
        assert (tmp_path / JOURNAL).exists() == keep
    assert lines(tmp_path) == []


def test_a_disk_that_takes_nothing_more_ends_it_and_not_the_run(tmp_path: Path) -> None:
    timeline = Timeline()
    journal = Journal(timeline, tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._file)
    os.close(full)
    timeline.add("vip", "a")
    assert "a listener is told nothing more: OSError" in timeline.events[-1].text
    timeline.add("vip", "b")
    assert [e.subject for e in timeline.events] == ["a", "timeline", "b"]
    journal.end(keep=False)


def test_a_timeline_that_can_be_written_takes_the_journals_place(tmp_path: Path) -> None:
    timeline = Timeline()
    journal = Journal(timeline, tmp_path)
    timeline.add("note", "it happened")

    journal.become(tmp_path / "timeline.jsonl")

    assert "it happened" in (tmp_path / "timeline.jsonl").read_text()
    assert not (tmp_path / JOURNAL).exists()


def test_where_the_timeline_cannot_be_written_the_journal_stays(tmp_path: Path) -> None:
    timeline = Timeline()
    journal = Journal(timeline, tmp_path)
    timeline.add("note", "it happened")

    journal.become(tmp_path / "no such folder" / "timeline.jsonl")

    assert "it happened" in (tmp_path / JOURNAL).read_text()
