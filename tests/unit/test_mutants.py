"""Every mutant differs from the reference in the lines that its edits name and nowhere else, and every edit found its place."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.gate.edits import Added, Edit, EditFailed, Mode, OwnCopy, Replaced, written
from tests.gate.harmless import HARMLESS
from tests.gate.mutant import REFERENCE, Harmless, Mutant
from tests.gate.mutants import MUTANTS, NOT_FILES
from tests.gate.scenarios import answered_by, expression

CHANGES: tuple[Mutant | Harmless, ...] = (*MUTANTS, *(change for change in HARMLESS if not change.untouched))
AT_LEAST = 22


def contents(folder: Path) -> dict[str, tuple[int, list[str]]]:
    """relative path -> (mode, lines)"""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode & 0o777, path.read_text().splitlines())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def changed_lines(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """(gone, new)"""
    diff = list(difflib.ndiff(before, after))
    return [d[2:] for d in diff if d.startswith("- ")], [d[2:] for d in diff if d.startswith("+ ")]


def touches(line: str, text: str) -> bool:
    """Is the whole line in the text, or the text's only line within it?"""
    return line in text.splitlines() or ("\n" not in text.strip("\n") and text.strip("\n") in line)


def base_of(name: str, edits: tuple[Edit, ...], reference: Mapping[str, tuple[int, list[str]]]) -> list[str]:
    copied = next((edit for edit in edits if isinstance(edit, OwnCopy) and edit.file == name), None)
    return reference[copied.name if copied else name][1] if copied or name in reference else []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.id)
def test_a_change_differs_from_the_reference_in_its_own_lines_only(change: Mutant | Harmless, tmp_path: Path) -> None:
    folder = change.write(tmp_path / "mutant")

    reference, mutant = contents(REFERENCE), contents(folder)
    differing = {name for name in reference.keys() | mutant.keys() if reference.get(name) != mutant.get(name)}
    assert differing == {edit.file for edit in change.edits}
    for name in differing:
        edits = [edit for edit in change.edits if edit.file == name]
        gone, new = changed_lines(base_of(name, change.edits, reference), mutant[name][1])
        replaced = [edit for edit in edits if isinstance(edit, Replaced)]
        added = [edit.text for edit in edits if isinstance(edit, Added)]
        assert gone or new or any(isinstance(edit, Mode) for edit in edits)
        assert all(any(touches(line, edit.old) for edit in replaced) for line in gone), gone
        assert all(any(touches(line, text) for text in (*(e.new for e in replaced), *added)) for line in new), new


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.id)
def test_what_is_json_stays_json(change: Mutant | Harmless, tmp_path: Path) -> None:
    for path in change.write(tmp_path / "mutant").rglob("*.json"):
        json.loads(path.read_text())


def test_there_are_enough_mutants_each_with_an_id_of_its_own() -> None:
    ids = [change.id for change in CHANGES]

    assert len(ids) == len(set(ids))
    assert len(MUTANTS) >= AT_LEAST
    assert not set(ids) & set(" ".join(NOT_FILES).split())


def test_no_two_changes_are_the_same(tmp_path: Path) -> None:
    folders = {change.id: repr(contents(change.write(tmp_path / change.id))) for change in CHANGES}

    assert len(set(folders.values())) == len(folders)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.id)
def test_every_scenario_that_is_to_bite_has_a_test(change: Mutant | Harmless) -> None:
    assert change.scenarios
    assert expression(change.scenarios, answered_by())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_a_mutant_says_which_line_must_make_it_red(mutant: Mutant) -> None:
    re.compile(mutant.because)
    assert mutant.because and mutant.bad and mutant.bites


@pytest.mark.parametrize(
    "edit",
    [
        Replaced("rabbitmq.conf", "heartbeat = 21", "heartbeat = 0"),
        Replaced("rabbitmq.conf", "heartbeat = 20", "heartbeat = 20"),
        Replaced("rabbitmq.conf", "cluster_formation", "x", times=1),
        Replaced("nothing.conf", "a", "b"),
        Mode("check_haproxy.sh", 0o755),
        Mode("nothing.sh", 0o644),
        Added("rabbitmq.conf", "heartbeat = 0\n"),
        OwnCopy("lb1", "keepalived.conf"),
    ],
    ids=lambda edit: f"{type(edit).__name__}-{edit.file}",
)
def test_an_edit_that_changes_nothing_fails(edit: Edit, tmp_path: Path) -> None:
    with pytest.raises(EditFailed):
        written(REFERENCE, tmp_path / "mutant", (edit,))


def test_a_mutant_without_an_edit_fails(tmp_path: Path) -> None:
    nothing = dataclasses.replace(MUTANTS[0], edits=())

    with pytest.raises(EditFailed, match="the reference itself"):
        nothing.write(tmp_path / "mutant")


def test_the_reference_itself_is_never_written_to(tmp_path: Path) -> None:
    before = contents(REFERENCE)

    for change in CHANGES:
        change.write(tmp_path / change.id)

    assert contents(REFERENCE) == before
