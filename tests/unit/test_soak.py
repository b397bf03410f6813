"""Soak runs: the line of a run, the summary of many, and a run that is cut short."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from scripts import soak
from scripts.soak_record import SoakRun, append, last_words, next_number, outcomes_of, summary
from tests.unit.manifests import manifest, scenario


def run(number: int, exit_status: int = 0, **more: Any) -> SoakRun:
    known: dict[str, Any] = {"outcomes": {"N1": "passed"}, "seconds": 500.0 + number, "commit": "abc", "dirty": False}
    return SoakRun(
        number,
        "2025-01-01T00:00:00+00:00",
        seed=number,
        profile="gate",
        exit_status=exit_status,
        folder=f"reports/soak/{number}",
        **{**known, **more},
    )


def red(number: int, name: str = "V1", outcome: str = "failed", error: str = "InvariantNotUpheld: 3 lost") -> SoakRun:
    return run(number, 1, outcomes={"N1": "passed", name: outcome}, errors={name: error})


# one run


def test_the_outcomes_of_a_manifest_are_the_worst_of_each_id() -> None:
    broken = {**scenario("t.py::b", "failed", ids=("N1", "V11")), "error": "InvariantNotUpheld: lost"}
    found = manifest("a", scenario("t.py::a"), broken, scenario("t.py::c", ids=("K1",)))

    outcomes, errors = outcomes_of(found)

    assert outcomes == {"N1": "failed", "V11": "failed", "K1": "passed"}
    assert errors == {"N1": "InvariantNotUpheld: lost", "V11": "InvariantNotUpheld: lost"}


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("ERROR: --rmq-version: got 3.9\n\nbye\n", "ERROR: --rmq-version: got 3.9"),
        ("a\nb\n\n", "b"),
        ("", "it said nothing"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_the_last_words_of_a_run_without_a_manifest(output: str, told: str) -> None:
    assert last_words(output) == told


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    assert next_number(tmp_path / "none") == 1
    for name in ("1", "9", "10", "notes"):
        (tmp_path / name).mkdir()
    assert next_number(tmp_path) == 11


def test_each_run_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "reports" / "soak.jsonl"
    append(file, run(1))
    append(file, red(2))

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["number"] for line in lines] == [1, 2]
    assert lines[1]["outcomes"]["V1"] == "failed"
    assert {"commit", "dirty", "seed", "seconds", "exit_status", "folder"} <= lines[0].keys()


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (run(1), "run 1 green after 501 s, seed 1"),
        (red(2), "run 2 RED after 502 s, seed 2: V1"),
        (run(3, 4, outcomes={}, error="ERROR: docker: not found"), "run 3 RED after 503 s, seed 3: ERROR: docker*"),
        (run(4, 2, cut_short=True), "run 4 cut short after 504 s, seed 4"),
    ],
)
def test_what_the_terminal_says_of_a_run(one: SoakRun, told: str) -> None:
    assert one.told.startswith(told.rstrip("*"))


# many


def test_the_summary_names_each_red_scenario_with_its_first_error() -> None:
    late = red(4, "V1", "undecided", "NoVerdict: nobody there")
    lines = summary([run(1), red(2), red(3, "N2", error="InvariantNotUpheld: slow"), late])

    assert lines[0] == "soak: 4 runs, 1 green, 3 red"
    assert lines[1] == "soak: 502 s a run (501 to 504)"
    assert lines[2:] == [
        "V1   failed, undecided in 2 of 2 (runs 2 4)",
        "       InvariantNotUpheld: 3 lost",
        "N2   failed in 1 of 1 (runs 3)",
        "       InvariantNotUpheld: slow",
    ]


def test_a_run_that_was_cut_short_is_neither_green_nor_red() -> None:
    lines = summary([run(1), run(2, 2, cut_short=True, outcomes={"N1": "harness"})])
    assert lines == ["soak: 2 runs, 1 green, 0 red, 1 cut short", "soak: 501 s a run (501 to 501)"]


def test_a_red_run_without_a_red_scenario_is_told_by_itself() -> None:
    lines = summary([run(1, 4, outcomes={}, error="ERROR: no images")])
    assert lines[-1] == "run 1 red without a red scenario: exit status 4, ERROR: no images"


def test_runs_of_different_states_of_the_project_are_not_one_series() -> None:
    lines = summary([run(1), run(2, dirty=True)])
    assert "soak: not one state of the project: abc, abc and what is not committed" in lines


def test_no_run_at_all_is_told() -> None:
    assert summary([]) == ["soak: 0 runs, 0 green, 0 red"]


# processes

SLEEPS = "import time, sys\ntry:\n  print('up', flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n  sys.exit(2)"


def test_a_run_ends_with_its_own_exit_status(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    ended = soak.run_for([sys.executable, "-c", "print('hello'); raise SystemExit(3)"], output, 30)

    assert ended == (3, False, False)
    assert output.read_text() == "hello\n"


def test_the_time_limit_interrupts_and_lets_it_tear_down(tmp_path: Path) -> None:
    ended = soak.run_for([sys.executable, "-c", SLEEPS], tmp_path / "output.txt", 1.5)
    assert ended == (2, True, False)


def test_an_interrupt_goes_on_to_the_run_once_and_ends_the_soak(tmp_path: Path) -> None:
    def interrupt() -> None:
        end = time.monotonic() + 10
        while not (tmp_path / "output.txt").exists() or "up" not in (tmp_path / "output.txt").read_text():
            assert time.monotonic() < end
            time.sleep(0.02)
        signal.raise_signal(signal.SIGTERM)

    timer = Timer(0, interrupt)
    with soak.interrupts():
        timer.start()
        ended = soak.run_for([sys.executable, "-c", SLEEPS], tmp_path / "output.txt", 30)

    timer.join()
    assert ended == (2, True, True)


def test_each_run_has_a_seed_a_folder_and_a_line_and_red_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, Path]] = []

    def command(suites: str, profile: str, seed: int, folder: Path) -> list[str]:
        asked.append((seed, folder))
        return [sys.executable, "-c", "raise SystemExit('ERROR: red')"]

    monkeypatch.setattr(soak, "command", command)
    found = soak.soak(3, "suites/", "gate", None, tmp_path)

    assert [one.number for one in found] == [1, 2, 3]
    assert all(one.is_red and one.error == "ERROR: red" for one in found)
    assert len({seed for seed, _ in asked}) == 3
    assert [folder for _, folder in asked] == [tmp_path / "soak" / str(n) for n in (1, 2, 3)]
    assert len((tmp_path / "soak.jsonl").read_text().splitlines()) == 3


def test_no_run_begins_after_the_time_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.soak(3, "suites/", "gate", 0, tmp_path) == []
    assert "time limit of 0 minutes is over" in capsys.readouterr().out


def test_the_command_names_profile_seed_and_folder(tmp_path: Path) -> None:
    told = " ".join(soak.command("suites/", "nightly", 7, tmp_path))
    assert "-m pytest suites/ --rmq-profile=nightly --rmq-seed=7" in told
    assert f"--rmq-reports={tmp_path} --junitxml={tmp_path / 'junit.xml'}" in told
