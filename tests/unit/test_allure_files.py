"""What lands in the results of allure, in real sessions of allure-pytest; and what ``scripts/report.sh`` refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha.adapters import allure
from pytest_rmqha.errors import HarnessError, NotHealed, NoVerdict, StackNotUp, ToolFailed

ROOT = Path(__file__).resolve().parents[2]
SESSION = """
import threading
from pathlib import Path
import pytest
from pytest_rmqha.adapters import allure
from pytest_rmqha.errors import InvariantNotUpheld, NoVerdict, StackNotUp

def test_green(tmp_path):
    allure.label(ids=("N1", "N5"), chapter="1 Node failure", titles={"N1": "SIGKILL the leader"}, kind="promise")
    with allure.step("inject", "rmq2 killed"):
        pass
    with allure.step("heal", "rmq2 killed"):
        pass
    allure.attach_text("ten messages", "ledger.txt")
    allure.attach_json({"at": Path("x")}, "figures.json")
    allure.attach_svg("<svg/>", "timeline.svg")
    (tmp_path / "states.csv").write_text("a,b")
    allure.attach_file(tmp_path / "states.csv", "states.csv")

def test_shown():
    allure.label(ids=("S1",), chapter="2 Mirrors", titles={}, kind="demonstration")

def test_from_another_thread():
    def report():
        with allure.step("inject", "elsewhere"):
            allure.attach_text("lost", "lost.txt")
            allure.label(ids=("X1",), chapter="x", titles={}, kind="promise")
    thread = threading.Thread(target=report)
    thread.start()
    thread.join()

@pytest.mark.parametrize("error", [InvariantNotUpheld, AssertionError, NoVerdict, StackNotUp, KeyError])
def test_red(error):
    raise error("because")
"""


def session(folder: Path, *options: str) -> str:
    """The session's own summary line."""
    (folder / "test_sample.py").write_text(SESSION)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Test name -> its result file."""
    folder = tmp_path_factory.mktemp("session")
    assert session(folder, "--alluredir=out").startswith("5 failed, 3 passed")
    read = [json.loads(path.read_text()) for path in (folder / "out").glob("*-result.json")]
    return {result["name"]: result for result in read}


def labels(result: dict[str, Any], name: str) -> list[str]:
    return sorted(label["value"] for label in result["labels"] if label["name"] == name)


def test_a_scenario_is_labelled_with_its_chapter_and_ids(results: dict[str, dict[str, Any]]) -> None:
    green = results["test_green"]

    assert labels(green, "epic") == ["RabbitMQ HA"]
    assert labels(green, "feature") == ["1 Node failure"]
    assert labels(green, "story") == ["N1 SIGKILL the leader", "N5"]
    assert labels(green, "tag") == ["N1", "N5", "promise"]
    assert labels(green, "severity") == ["critical"]
    assert labels(results["test_shown"], "severity") == ["normal"]


def test_acts_are_steps_and_attachments_have_their_types(results: dict[str, dict[str, Any]]) -> None:
    green = results["test_green"]

    steps = [step["name"] for step in green["steps"]]
    assert steps == ["inject “rmq2 killed” and see it in effect", "heal “rmq2 killed” and see it gone"]
    assert {a["name"]: a["type"] for a in green["attachments"]} == {
        "ledger.txt": "text/plain",
        "figures.json": "application/json",
        "timeline.svg": "image/svg+xml",
        "states.csv": "text/csv",
    }


def test_nothing_is_recorded_from_another_thread(results: dict[str, dict[str, Any]]) -> None:
    result = results["test_from_another_thread"]

    assert not result.get("steps")
    assert not result.get("attachments")
    assert labels(result, "tag") == []


@pytest.mark.parametrize(
    ("error", "category"),
    [
        ("InvariantNotUpheld", "Product: the stack under test is not safe"),
        ("AssertionError", "Product: the stack under test is not safe"),
        ("NoVerdict", "Harness: undecided, no evidence either way"),
        ("StackNotUp", "Infrastructure: the stack or a tool was not there"),
        ("KeyError", "Harness: an unexpected error"),
    ],
)
def test_a_red_test_has_one_category(results: dict[str, dict[str, Any]], error: str, category: str) -> None:
    result = results[f"test_red[{error}]"]

    assert first_match(result["status"], result["statusDetails"]["message"]) == category


def first_match(status: str, message: str) -> str:
    """As Allure 2 and 3 do: the first one in order; the expression matches the whole message."""
    for category in allure.categories():
        if status in category["matchedStatuses"] and re.fullmatch(category.get("messageRegex", r"[\s\S]*"), message):
            return str(category["name"])
    return ""


class NoAnswerFromX(ToolFailed):
    """A class that the adapter does not know by name."""


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (NoAnswerFromX, "Infrastructure: the stack or a tool was not there"),
        (NotHealed, "Harness: we could not do our work"),
        (HarnessError, "Harness: we could not do our work"),
    ],
)
def test_subclasses_go_with_their_parents(error: type[Exception], category: str) -> None:
    assert first_match("broken", f"{error.__module__}.{error.__name__}: what\nhappened") == category


def test_an_error_that_only_is_mentioned_does_not_count() -> None:
    message = f"{NoVerdict.__module__}.NoVerdict: nothing\nAnd the fault was not healed: {StackNotUp.__name__}: x"

    assert first_match("broken", message) == "Harness: undecided, no evidence either way"


def test_expressions_need_no_flags_that_javascript_has_not() -> None:
    assert not any("(?s" in category.get("messageRegex", "") for category in allure.categories())


def test_the_files_of_a_run_are_written_beside_the_results(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "results"

    allure.write_run_files(str(folder), {"rabbitmq": "3.10.25", "config dir": "C:\\x\ny", "a=b:c": 1})

    assert json.loads((folder / "categories.json").read_text()) == allure.categories()
    lines = (folder / "environment.properties").read_text().splitlines()
    assert lines == ["rabbitmq=3.10.25", "config_dir=C:\\\\x y", "a_b_c=1"]


@pytest.mark.parametrize("folder", [None, ""])
def test_without_a_folder_nothing_is_written(
    folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    allure.write_run_files(folder, {"a": "b"})

    assert list(tmp_path.iterdir()) == []


def test_without_alluredir_everything_does_nothing(tmp_path: Path) -> None:
    assert session(tmp_path).startswith("5 failed, 3 passed")

    assert not list(tmp_path.rglob("*-result.json"))


def test_a_step_in_another_thread_still_runs_its_block() -> None:
    ran: list[str] = []

    def act() -> None:
        with allure.step("inject", "x"):
            ran.append("x")

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()

    assert ran == ["x"]


def report(*arguments: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """``report.sh`` with ``path`` before the usual programs, or alone if it holds them all."""
    script = ROOT / "scripts" / "report.sh"
    environment = {**os.environ, "PATH": str(path)}
    return subprocess.run(
        ["/bin/bash", script, *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the programs that the script needs, but npx."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("bash", "dirname", "find", "sort", "tail", "cut", "realpath", "timeout", "ls", "rm", "mkdir", "touch"):
        found = next(place / name for place in (Path("/usr/bin"), Path("/bin")) if (place / name).exists())
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def some_results(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "allure-results"
    folder.mkdir(parents=True)
    (folder / "1-result.json").write_text("{}")
    return folder


def npx(programs: Path, body: str) -> None:
    (programs / "npx").write_text(f"#!/bin/bash\n{body}\n")
    (programs / "npx").chmod(0o755)


def test_a_missing_npx_is_said_plainly(some_results: Path, programs: Path) -> None:
    done = report(some_results, path=programs)

    assert done.returncode == 1
    assert "npx is missing" in done.stderr
    assert f"The results stay in {some_results}" in done.stderr


def test_the_pinned_command_line_writes_beside_the_results(some_results: Path, programs: Path) -> None:
    npx(programs, 'echo "$*"; mkdir -p "$RMQHA_OUT"; touch "$RMQHA_OUT/index.html"')

    done = report(some_results, path=programs)

    assert done.returncode == 0, done.stderr
    assert "-p node@22 -p allure@3.18.0" in done.stdout
    assert (some_results.parent / "allure-report" / "index.html").exists()


@pytest.mark.parametrize("body", ["exit 7", "exit 0"])
def test_a_report_that_was_not_built_is_an_error(some_results: Path, programs: Path, body: str) -> None:
    npx(programs, body)

    done = report(some_results, path=programs)

    assert done.returncode == 1
    assert f"The results stay in {some_results}" in done.stderr


def test_no_results_is_an_error(tmp_path: Path, programs: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert "no results in" in report(tmp_path / "none", path=programs).stderr
    assert "holds no test results" in report(tmp_path / "empty", path=programs).stderr


def test_a_folder_that_is_no_report_is_left_alone(some_results: Path, programs: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    npx(programs, "exit 0")

    done = report(some_results, precious, path=programs)

    assert done.returncode == 1
    assert "is left alone" in done.stderr
    assert (precious / "file").read_text() == "mine"


def apt_get(programs: Path, user: str, body: str) -> None:
    for name, does in {"apt-get": body, "id": f"echo {user}", "mktemp": 'f="${0%/*}/log"; >"$f"; echo "$f"'}.items():
        (programs / name).write_text(f"#!/bin/bash\n{does}\n")
        (programs / name).chmod(0o755)


def test_a_missing_npx_is_installed_where_it_can_be(some_results: Path, programs: Path) -> None:
    it = '#!/bin/bash\nmkdir -p "$RMQHA_OUT"; touch "$RMQHA_OUT/index.html"'
    chmod = next(place / "chmod" for place in (Path("/usr/bin"), Path("/bin")) if (place / "chmod").exists())
    apt_get(programs, "0", f"case $1 in install) echo '{it}' >{programs}/npx; {chmod} 755 {programs}/npx ;; esac")

    done = report(some_results, path=programs)

    assert done.returncode == 0, done.stderr
    assert "report: npx is missing: installing npm" in done.stdout


def test_an_npm_that_cant_be_installed_is_one_sentence(some_results: Path, programs: Path) -> None:
    apt_get(programs, "0", "echo 'no such mirror'; exit 100")

    done = report(some_results, path=programs)

    assert done.returncode == 1
    assert "npm could not be installed: no such mirror" in done.stderr
    assert f"The results stay in {some_results}" in done.stderr


def test_nobody_but_root_is_asked_to_install(some_results: Path, programs: Path) -> None:
    apt_get(programs, "1000", "echo 'must not be asked'; exit 1")

    done = report(some_results, path=programs)

    assert "installing" not in done.stdout
    assert "npx is missing" in done.stderr
