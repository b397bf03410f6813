"""The bench proves itself first: the untouched reference, asked whatever a mutant is asked, has to be green."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gate import judging, run_mutants, table
from tests.gate.edits import EditFailed
from tests.gate.harmless import CONTROL, HARMLESS
from tests.gate.judging import Result
from tests.gate.mutant import REFERENCE, Harmless
from tests.gate.mutants import BY_ID, MUTANTS
from tests.gate.run_mutants import with_control

GREEN = Result(CONTROL.id, judging.GREEN, ran=CONTROL.scenarios)
RED = Result(CONTROL.id, judging.FALSE_ALARM, "G6", line="BROKEN connections_are_spread: …", ran=CONTROL.scenarios)
K08, H05 = BY_ID["K08"], BY_ID["H05"]


def test_the_control_is_the_reference_byte_for_byte(tmp_path: Path) -> None:
    folder = CONTROL.write(tmp_path / "control")

    files = [path.relative_to(REFERENCE) for path in REFERENCE.rglob("*") if path.is_file()]
    assert filecmp.cmpfiles(REFERENCE, folder, map(str, files), shallow=False)[0] == [*map(str, files)]
    assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == {*files}
    assert all((folder / file).stat().st_mode == (REFERENCE / file).stat().st_mode for file in files)


def test_only_the_control_may_change_nothing(tmp_path: Path) -> None:
    with pytest.raises(EditFailed, match="the reference itself"):
        Harmless("x", "nothing, by mistake", (), ("G3",)).write(tmp_path / "x")


def test_the_control_is_asked_whatever_a_mutant_is_asked() -> None:
    assert set(CONTROL.scenarios) == {name for mutant in MUTANTS for name in mutant.scenarios}
    assert HARMLESS[0] is CONTROL


@pytest.mark.parametrize(
    ("kept", "comes"),
    [
        (None, True),
        (RED, True),
        (Result(CONTROL.id, judging.GREEN, ran=("G3",)), True),
        (GREEN, False),
    ],
    ids=["never-run", "was-red", "asked-less-then", "was-green"],
)
def test_the_control_comes_first_until_a_green_one_is_kept(kept: Result | None, comes: bool) -> None:
    results = {CONTROL.id: kept} if kept else {}

    assert with_control([K08, H05], results) == ([CONTROL, K08, H05] if comes else [K08, H05])


def test_a_control_that_is_asked_for_is_run_again_and_first() -> None:
    assert with_control([K08, CONTROL], {CONTROL.id: GREEN}) == [CONTROL, K08]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str]]]:
    """``bench(results of the gate by id, *arguments)``: exit code and what was run, in a folder of its own."""
    page, results = tmp_path / "gate.md", tmp_path / "results.json"
    page.write_text(f"{table.BEGIN}\n{table.END}\n")
    monkeypatch.setattr(run_mutants, "PAGE", page)
    monkeypatch.setattr(run_mutants, "RESULTS", results)

    def go(says: dict[str, Result], *arguments: str) -> tuple[int, list[str]]:
        ran: list[str] = []

        def run(change: Any, **_: Any) -> Result:
            ran.append(change.id)
            return says.get(change.id) or Result(change.id, judging.CAUGHT)

        monkeypatch.setattr(run_mutants, "run", run)
        return run_mutants.main(arguments), ran

    return go


def test_a_bench_ends_where_the_untouched_reference_is_red(
    bench: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench({CONTROL.id: RED}, "K08", "H05") == (1, [CONTROL.id])

    *_, last = capsys.readouterr().out.splitlines()
    assert last == "bench: the untouched reference is not green, so nothing that this bench would say can be trusted"
    assert json.loads((tmp_path / "results.json").read_text())[CONTROL.id]["outcome"] == judging.FALSE_ALARM
    assert f"| {CONTROL.what} | {judging.FALSE_ALARM} |" in (tmp_path / "gate.md").read_text()


def test_a_bench_goes_on_behind_a_green_control_and_keeps_it(bench: Any) -> None:
    assert bench({CONTROL.id: GREEN}, "K08") == (0, [CONTROL.id, "K08"])
    assert bench({}, "H05") == (0, ["H05"])
    assert bench({CONTROL.id: GREEN}, CONTROL.id) == (0, [CONTROL.id])


def test_what_is_missing_begins_with_the_control(bench: Any) -> None:
    says = {CONTROL.id: GREEN}

    assert bench(says, "--missing", "K08", "H05") == (0, [CONTROL.id, "K08", "H05"])
    assert bench(says, "--missing", "K08", "H05") == (0, [])


def test_a_table_or_a_list_runs_nothing(bench: Any) -> None:
    assert bench({}, "--list") == (0, [])
    assert bench({}, "--table")[1] == []
