"""Several runs as one manifest: what stands, what is missing, and what does not belong together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha.commands import report
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.merged import merge
from pytest_rmqha.runs import manifest_of, newest_first, records_of
from tests.unit.manifests import left_out, manifest, scenario


def shard(index: int, *scenarios: dict[str, Any], count: int = 2, **more: Any) -> dict[str, Any]:
    part = {"index": index, "count": count, "of": "x"}
    return manifest(f"run-{index}", *scenarios, shard=part, **more)


def elsewhere(nodeid: str, part: int) -> dict[str, Any]:
    return left_out(nodeid, f"belongs to shard {part}/2")


def test_two_shards_are_a_whole_run() -> None:
    profile = left_out("z", "profile gate has it not, nightly has", ("L8",))
    one = shard(1, scenario("a"), left_out=[elsewhere("b", 2), profile], finished="2025-01-01T05:00:00.000+00:00")
    two = shard(2, scenario("b"), left_out=[elsewhere("a", 1), profile], started="2024-12-31T23:00:00.000+00:00")

    whole = merge([one, two], "nightly")

    assert (whole["run"], whole["merged"], whole["exit_status"], whole["lacking"]) == (
        "nightly",
        ["run-1", "run-2"],
        0,
        [],
    )
    assert [one["nodeid"] for one in whole["scenarios"]] == ["a", "b"]
    assert [one["nodeid"] for one in whole["left_out"]] == ["z"]
    assert whole["started"].startswith("2024-12-31") and whole["finished"].startswith("2025-01-01T05")
    assert whole["again"] == "pytest suites/ # run-1; pytest suites/ # run-2"
    assert "shard" not in whole


def test_a_shard_that_is_not_there_is_red() -> None:
    whole = merge([shard(1, scenario("a"), left_out=[elsewhere("b", 2)])], "x")
    assert whole["exit_status"] == 1
    assert whole["lacking"] == ["shard 2/2 is not among the runs", "b: belongs to shard 2/2, and no run has it"]


def test_a_run_and_the_one_that_resumed_it() -> None:
    killed = manifest(
        "one", scenario("a"), scenario("b", "harness"), not_reached=["c"], exit_status=None, unfinished=True
    )
    resumed = manifest("two", scenario("b"), scenario("c"), left_out=[left_out("a", "passed already in one")])

    whole = merge([killed, resumed], "x")

    assert (whole["exit_status"], whole["lacking"], whole["left_out"], whole["not_reached"]) == (0, [], [], [])
    assert {one["nodeid"]: one["outcome"] for one in whole["scenarios"]} == dict.fromkeys("abc", "passed")
    assert "unfinished" not in whole


@pytest.mark.parametrize("order", [1, -1])
def test_a_failed_verdict_is_not_taken_back(order: int) -> None:
    runs = [manifest("one", scenario("a", "failed")), manifest("two", scenario("a"))][::order]
    whole = merge(runs, "x")
    assert (whole["exit_status"], [one["outcome"] for one in whole["scenarios"]]) == (1, ["failed"])


def test_what_has_passed_in_a_run_that_is_not_given_is_missing() -> None:
    whole = merge([manifest("two", scenario("b"), left_out=[left_out("a", "passed already in one")])], "x")
    assert whole["lacking"] == ["a: passed already in one, which is not among the runs"]
    assert whole["exit_status"] == 1
    assert [one["nodeid"] for one in whole["left_out"]] == ["a"]


def test_what_no_run_reached_is_missing() -> None:
    whole = merge([manifest("one", scenario("a"), not_reached=["b"], exit_status=2)], "x")
    assert (whole["lacking"], whole["exit_status"]) == (["no run reached b"], 1)


@pytest.mark.parametrize(
    ("status", "said"),
    [(1, "one ended with exit status 1, and all its scenarios passed"), (3, "one ended with exit status 3")],
)
def test_a_red_run_that_its_scenarios_do_not_explain_stays_red(status: int, said: str) -> None:
    whole = merge([manifest("one", scenario("a"), exit_status=status), manifest("two", scenario("b"))], "x")
    assert (whole["lacking"], whole["exit_status"]) == ([said], 1)


def test_a_run_that_was_red_for_what_it_resumed_is_explained() -> None:
    first = manifest("one", scenario("a", "failed"))
    said = "FAILED already in one: a verdict is never retried"
    second = manifest("two", scenario("b"), left_out=[left_out("a", said)], exit_status=1)
    whole = merge([first, second], "x")
    assert (whole["lacking"], whole["exit_status"]) == ([], 1)


def test_a_merge_of_merges() -> None:
    inner = merge([shard(1, scenario("a")), shard(2, scenario("b"))], "inner")
    assert merge([inner, manifest("three", scenario("c"))], "outer")["exit_status"] == 0


def test_nothing_is_not_green() -> None:
    assert merge([manifest("one", exit_status=5)], "x")["exit_status"] == 1


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"settings": {"seed": 6}}, "seed is 5 in one and 6 in two"),
        ({"settings": {"version": "4.3"}}, "version is 3.10 in one and 4.3 in two"),
        ({"config_digest": "d"}, "the digest of the configuration is abc in one and d in two"),
        ({"versions": {"pytest-rmqha": "0.2"}}, "pytest-rmqha is 0.1.0 in one and 0.2 in two"),
    ],
)
def test_what_does_not_belong_together_is_refused(other: dict[str, Any], said: str) -> None:
    with pytest.raises(UserInputError, match=said):
        merge([manifest("one", scenario("a")), manifest("two", scenario("b"), **other)], "x")


def test_a_run_is_named_once() -> None:
    with pytest.raises(UserInputError, match="one twice"):
        merge([manifest("one"), manifest("one")], "x")


# the command


def put(reports: Path, one: dict[str, Any]) -> Path:
    folder = reports / str(one["run"])
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(one))
    return folder


def command(*arguments: str) -> int:
    import argparse

    parser = argparse.ArgumentParser()
    report.add(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["report", "merge", *arguments])
    return int(parsed.run(parsed))


def test_the_command_writes_and_tells_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = put(tmp_path / "reports", shard(1, scenario("a"), left_out=[elsewhere("b", 2)]))
    put(tmp_path / "reports", shard(2, scenario("b", "failed", ids=("N2",))))
    into = tmp_path / "whole"

    code = command(str(one), "run-2", "--reports", str(tmp_path / "reports"), "--into", str(into))

    assert code == 1
    said = capsys.readouterr().out
    assert "N1   passed, outage 1.5 s" in said
    assert "N2   FAILED" in said
    assert said.endswith("merged: 2 runs, RED\n")
    assert json.loads((into / "manifest.json").read_text())["merged"] == ["run-1", "run-2"]
    assert "manifest.json" in (into / "SHA256SUMS").read_text()
    with pytest.raises(UserInputError, match="a new or empty folder"):
        command(str(one), "--into", str(into))


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"rmqha report merge: got nothing; .*manifest.json"):
        command("nothing", "--reports", str(tmp_path), "--into", str(tmp_path / "x"))


# manifests of earlier runs


def test_manifests_newest_first_and_what_is_none_is_passed_over(tmp_path: Path) -> None:
    for n in (1, 3, 2):
        put(tmp_path, manifest(f"run-{n}", started=f"2025-01-0{n}T00:00:00.000+00:00"))
    for name, text in (("broken", "{"), ("other", "[]"), ("foreign", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(text)
        with pytest.raises(UserInputError):
            manifest_of(tmp_path / name, asked_by="x")
    assert [found["run"] for found in newest_first(tmp_path)] == ["run-3", "run-2", "run-1"]
    assert newest_first(tmp_path / "none") == []


def test_records_with_fields_of_another_version_are_read() -> None:
    one = scenario("a")
    one["new"], one["measured"]["newer"] = 1, 2
    (record,) = records_of(manifest("x", one))
    assert (record.ids, record.verdicts, record.measured.outage) == (("N1",), ("HELD x: y",), 1.5)
