"""A session cut into parts, one that goes on where another ended, and the merge of both."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import CONFTEST, Session, installed
from tests.unit.manifests import manifest, scenario

SCENARIOS = """
def a_play(stage): pass

@pytest.mark.rmq_scenario("N1")
def test_a(): a_play; holds()

@pytest.mark.rmq_scenario("N2")
def test_b(): holds()

@pytest.mark.rmq_scenario("N3")
def test_c(): holds()

@pytest.mark.rmq_scenario("K1")
def test_d(): a_play; holds()
"""


def ran(result: pytest.RunResult) -> set[str]:
    return {line.split("::test_")[1][0] for line in result.outlines if "::test_" in line and " PASSED" in line}


def manifests(pytester: pytest.Pytester) -> list[Path]:
    return sorted((pytester.path / "reports").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime_ns)


def newest(pytester: pytest.Pytester) -> dict[str, Any]:
    return dict(json.loads(manifests(pytester)[-1].read_text()))


def test_shards_are_a_partition_and_a_play_stays_together(session: Session, pytester: pytest.Pytester) -> None:
    parts = [ran(session(SCENARIOS, "-v", f"--rmq-shard={n}/3", "--rmq-seed=1")) for n in (1, 2, 3)]

    assert sorted(map(sorted, parts)) == [["a", "d"], ["b"], ["c"]]
    shards = [json.loads(path.read_text())["shard"] for path in manifests(pytester)]
    assert sorted(shard["index"] for shard in shards) == [1, 2, 3]
    assert len({(shard["count"], shard["of"]) for shard in shards}) == 1

    merged = pytester.run(
        sys.executable, "-c", MERGE, *(str(path.parent) for path in manifests(pytester)), "--into", "whole"
    )
    assert merged.ret == 0
    merged.stdout.fnmatch_lines(
        ["N1   passed*", "N2   passed*", "N3   passed*", "K1   passed*", "merged: 3 runs, green"]
    )


MERGE = """
import argparse, sys
from pytest_rmqha.commands import report
parser = argparse.ArgumentParser()
report.add(parser.add_subparsers())
parsed = parser.parse_args(["report", "merge", *sys.argv[1:]])
sys.exit(parsed.run(parsed))
"""


def test_a_measured_run_does_not_move_the_cuts(session: Session, pytester: pytest.Pytester) -> None:
    """Another machine has measured other times, or none."""
    plan = ("--rmq-shard=1/3", "--rmq-plan", "--rmq-seed=1")
    before = session(SCENARIOS, *plan)
    (pytester.path / "reports" / "slow").mkdir(parents=True)
    slow = manifest("slow", scenario("test_scenarios.py::test_b", seconds=900))
    (pytester.path / "reports" / "slow" / "manifest.json").write_text(json.dumps(slow))
    after = session(SCENARIOS, *plan)

    before.stdout.fnmatch_lines(
        ["*in 1 plays*", "left out, belongs to shard 2/3: *", "left out, belongs to shard 3/3: *"]
    )
    assert [line for line in before.outlines if "left out" in line] == [x for x in after.outlines if "left out" in x]


def test_more_shards_than_plays_are_refused(session: Session) -> None:
    result = session(SCENARIOS, "--rmq-shard=1/4")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --rmq-shard: got 1/4; expected at most 3 shards*take fewer shards*"])


def test_what_is_no_shard_is_refused(session: Session) -> None:
    result = session(SCENARIOS, "--rmq-shard=3/2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --rmq-shard: got 3/2; expected I/N*"])


ENDING = (
    (
        """
import os, sys

def ctrl_c(): raise KeyboardInterrupt
def not_ours(): raise NotHealed("we failed")
def dies(): os._exit(9)

def ends():
    how = dict(said.split("=") for said in os.environ.get("ENDS", "").split())
    globals()[how.get(sys._getframe(1).f_code.co_name, "holds")]()
"""
        + SCENARIOS
    )
    .replace("; holds()", "; ends()")
    .replace(": holds()", ": ends()")
)

Ending = Callable[..., pytest.RunResult]


@pytest.fixture
def ending(session: Session, monkeypatch: pytest.MonkeyPatch) -> Ending:
    """A session in which tests end as ``how`` says, by the same code: by other code nothing would be resumed."""

    def run(*arguments: str, **how: str) -> pytest.RunResult:
        monkeypatch.setenv("ENDS", " ".join(f"{test}={what}" for test, what in how.items()))
        return session(ENDING, *arguments)

    return run


def test_a_run_goes_on_where_it_was_stopped(ending: Ending, pytester: pytest.Pytester) -> None:
    assert ending(test_b="not_ours", test_c="ctrl_c").ret == pytest.ExitCode.INTERRUPTED
    stopped = newest(pytester)
    assert [one.partition("::")[2] for one in stopped["not_reached"]] == ["test_c", "test_d"]

    result = ending("-v", f"--rmq-resume={stopped['run']}")

    assert result.ret == pytest.ExitCode.OK
    assert ran(result) == {"b", "c", "d"}
    result.stdout.fnmatch_lines(
        [
            f"*seed {stopped['seed']} (resumed from {stopped['run']})*",
            f"left out, passed already in {stopped['run']}: N1",
        ]
    )
    assert newest(pytester)["seed"] == stopped["seed"]


def test_a_run_that_was_killed_can_be_resumed(ending: Ending, pytester: pytest.Pytester) -> None:
    ending(test_c="dies")
    killed = newest(pytester)
    assert (killed["unfinished"], killed["exit_status"]) == (True, None)
    assert ran(ending("-v", f"--rmq-resume={killed['run']}")) == {"c", "d"}
    assert "unfinished" not in newest(pytester)


def test_a_failed_verdict_stays_red(ending: Ending, pytester: pytest.Pytester) -> None:
    ending(test_b="broken", test_d="not_ours")
    run = newest(pytester)["run"]

    result = ending("-v", f"--rmq-resume={run}")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert ran(result) == {"d"}
    result.stdout.fnmatch_lines([f"RED already in {run}, a verdict is never retried: N2", "K1   passed*"])


def test_a_chain_of_resumed_runs(ending: Ending, pytester: pytest.Pytester) -> None:
    for stop in ("test_b", "test_c"):
        resume = [f"--rmq-resume={newest(pytester)['run']}"] if manifests(pytester) else []
        ending(*resume, **{stop: "ctrl_c"})
    assert ran(ending("-v", f"--rmq-resume={newest(pytester)['run']}")) == {"c", "d"}


PLAY = "def played(stage): return {}\n"
USES = SCENARIOS.replace("def a_play(stage): pass", "from plays import played as a_play")


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        ({"plays": PLAY.format(2)}, "plays.py"),
        ({"conftest": "# later"}, "conftest.py"),
        ({"test_scenarios": "# later"}, "test_scenarios.py"),
    ],
    ids=["a-play", "the-conftest", "the-tests"],
)
def test_what_was_settled_by_other_code_is_not_taken_over(
    session: Session, pytester: pytest.Pytester, edit: dict[str, str], named: str
) -> None:
    pytester.makepyfile(plays=PLAY.format(1))
    session(USES, "--rmq-seed=1")
    for name, text in edit.items():
        file = pytester.path / f"{name}.py"
        file.write_text(text if name == "plays" else f"{file.read_text()}{text}\n")
    arguments = ("-p", "no:cacheprovider", *([] if installed() else ["-p", "pytest_rmqha.plugin"]))

    result = pytester.runpytest_subprocess(*arguments, f"--rmq-resume={newest(pytester)['run']}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --rmq-resume: got *the code differs: *{named}*"])
    assert len(manifests(pytester)) == 1


def test_a_run_of_another_thing_is_refused(session: Session, pytester: pytest.Pytester) -> None:
    session(SCENARIOS, "--rmq-seed=1")
    result = session(SCENARIOS, "--rmq-seed=2", "--rmq-version=4.3", f"--rmq-resume={newest(pytester)['run']}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --rmq-resume: got *version was 3.10, here 4.3; seed was 1, here 2*"])
    assert len(manifests(pytester)) == 1


PLAIN = "\n\ndef test_plain(): pass\n"


@pytest.mark.parametrize("how", ["broken", "holds"])
def test_a_run_is_not_resumed_without_a_scenario(ending: Ending, pytester: pytest.Pytester, how: str) -> None:
    """Plain tests that pass would be a green session beside the red that the run has."""
    ending("--rmq-seed=1", test_b=how)
    (plain := pytester.path / "test_plain.py").write_text(PLAIN)
    for chosen in (["-k", "plain"], [str(plain)]):
        result = ending(f"--rmq-resume={newest(pytester)['run']}", *chosen)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            ["ERROR: --rmq-resume: got *, and no scenario is chosen; expected a session with *"]
        )
    assert len(manifests(pytester)) == 1
    assert ending("-k", "plain").ret == pytest.ExitCode.OK


def test_what_cannot_be_collected_is_told_beside_the_refusal(ending: Ending, pytester: pytest.Pytester) -> None:
    ending("--rmq-seed=1")
    (broken := pytester.path / "test_plain.py").write_text("import not_there_at_all\n")
    result = ending(f"--rmq-resume={newest(pytester)['run']}", str(broken))
    assert result.ret != pytest.ExitCode.OK
    assert "not_there_at_all" in result.stdout.str() + result.stderr.str()


A_STACK = """
import os
from types import SimpleNamespace
from pytest_rmqha import readiness, session_stack
from pytest_rmqha.timeline import Timeline

readiness.refuse_machine = lambda settings, topology: None
session_stack.checked = lambda stack, settings: []
session_stack.stand_up = lambda stack, settings: None
session_stack.leave_or_keep = lambda *_, **__: None
session_stack.versions = SimpleNamespace(of_the_stack=lambda stack: {"haproxy": os.environ["HAPROXY"]})
session_stack.facts_of_files = lambda stack: {}
session_stack.facts_of = lambda stack: {"image_tags": {"lb1": "mine:latest"}, "images": {"lb1": os.environ["IMAGE_ID"]}}
session_stack.make_stack = lambda settings, *_: SimpleNamespace(timeline=Timeline(), load_client=SimpleNamespace())
"""
ON_A_STACK = ENDING.replace("test_a()", "test_a(rmq_stack)").replace("test_b()", "test_b(rmq_stack)")


def test_a_stack_of_other_content_under_the_same_names_is_refused(
    session: Session, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(CONFTEST + A_STACK)

    def run(image: str, haproxy: str, *arguments: str) -> pytest.RunResult:
        monkeypatch.setenv("IMAGE_ID", image)
        monkeypatch.setenv("HAPROXY", haproxy)
        return session(ON_A_STACK, "-v", *arguments)

    monkeypatch.setenv("ENDS", "test_b=ctrl_c")
    run("sha256:a", "2.6.12", "--rmq-seed=1")
    stopped = newest(pytester)
    monkeypatch.setenv("ENDS", "")
    resume = f"--rmq-resume={stopped['run']}"

    for image, haproxy, said in (
        ("sha256:b", "2.6.12", "the image id of lb1 was sha256:a, here sha256:b"),
        ("sha256:a", "2.6.13", "haproxy was 2.6.12, here 2.6.13"),
    ):
        result = run(image, haproxy, resume)
        assert (result.ret, ran(result)) == (pytest.ExitCode.USAGE_ERROR, set())
        result.stdout.fnmatch_lines([f"*--rmq-resume: got {stopped['run']}; *{said}*"])
        refused = newest(pytester)
        assert (refused["exit_status"], len(refused["not_reached"])) == (pytest.ExitCode.USAGE_ERROR, 3)

    assert run("sha256:b", "2.6.12", f"--rmq-resume={refused['run']}").ret == pytest.ExitCode.USAGE_ERROR
    result = run("sha256:a", "2.6.12", f"--rmq-resume={refused['run']}")
    assert (result.ret, ran(result)) == (pytest.ExitCode.OK, {"b", "c", "d"})


def test_a_run_that_is_not_there_is_refused(session: Session) -> None:
    result = session(SCENARIOS, "--rmq-resume=nothing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --rmq-resume: got nothing; expected the name of a run*"])
