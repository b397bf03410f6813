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
from pytest_rmqha.selection import NOT_CHOSEN
from tests.unit.manifests import CODE, left_out, manifest, scenario


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
        ({"code_sha256": {**CODE, "suites/test_a.py": "4"}}, "the code differs in one and two: suites/test_a.py;"),
        ({"config_digest": "d"}, "the digest of the configuration is abc in one and d in two"),
        ({"versions": {"pytest-rmqha": "0.2"}}, "pytest-rmqha is 0.1.0 in one and 0.2 in two"),
    ],
)
def test_what_does_not_belong_together_is_refused(other: dict[str, Any], said: str) -> None:
    with pytest.raises(UserInputError, match=said):
        merge([manifest("one", scenario("a")), manifest("two", scenario("b"), **other)], "x")


OURS = "rmqha/broker:3.10-0123456789ab"
BUILT = {"rmq1": "sha256:a", "rmq2": "sha256:a", "lb1": "sha256:c"}
TAGS = {"rmq1": OURS, "rmq2": OURS, "lb1": "rmqha/balancer:bookworm-0123456789ab"}
PROGRAMS = {"rabbitmq": "3.10.8", "erlang": "25.2.3", "haproxy": "2.6.12", "keepalived": "2.2.7", "toxiproxy": "2.9.0"}


def stood(
    run: str, tags: dict[str, str] = TAGS, ids: dict[str, str] = BUILT, stack: dict[str, str] = PROGRAMS
) -> dict[str, Any]:
    """A run whose stack stood."""
    return manifest(run, scenario(run), images=ids, image_tags=tags, stack={**stack, "run": run})


def test_shards_on_machines_that_built_the_same_are_one() -> None:
    elsewhere_built = {**BUILT, "rmq1": "sha256:b", "rmq2": "sha256:b"}
    whole = merge([stood("one"), stood("two", ids=elsewhere_built)], "x")
    assert (whole["exit_status"], whole["lacking"]) == (0, [])
    assert (whole["image_tags"], whole["images"], whole["stack"]) == (TAGS, {"lb1": "sha256:c"}, PROGRAMS)
    assert merge([whole, stood("three", ids=elsewhere_built)], "y")["exit_status"] == 0


def test_runs_on_other_images_are_not_one() -> None:
    newer = "rmqha/broker:3.10-ba9876543210"
    with pytest.raises(UserInputError, match="rmqha report merge: got the image of") as caught:
        merge([stood("one"), stood("two", {**TAGS, "rmq1": newer, "rmq2": newer})], "x")
    assert f"got the image of rmq1, rmq2 is {OURS} in one and {newer} in two; expected" in str(caught.value)
    assert "images of the same tags (one of your own is built once" in str(caught.value)


@pytest.mark.parametrize("program", PROGRAMS)
def test_runs_of_other_programs_are_not_one(program: str) -> None:
    with pytest.raises(UserInputError, match=f"{program} is {PROGRAMS[program]} in one and 9 in two"):
        merge([stood("one"), stood("two", stack={**PROGRAMS, program: "9"})], "x")


@pytest.mark.parametrize("own", ["mine/rabbit:latest", "rmqha/broker:latest", "rabbitmq:3.10-management"])
def test_a_tag_that_does_not_name_its_content_is_the_same_only_with_the_same_id(own: str) -> None:
    tags = {**TAGS, "rmq1": own, "rmq2": own}
    assert merge([stood("one", tags), stood("two", tags)], "x")["exit_status"] == 0
    with pytest.raises(UserInputError, match="got the image id of rmq1, rmq2 is sha256:a in one and sha256:b in two;"):
        merge([stood("one", tags), stood("two", tags, {**BUILT, "rmq1": "sha256:b", "rmq2": "sha256:b"})], "x")


def test_a_stack_without_tags_is_not_merged_with_one_that_has_them() -> None:
    with pytest.raises(UserInputError, match="the tags of the images is noted in one and not noted in two"):
        merge([stood("one"), stood("two", {})], "x")


def test_a_run_whose_stack_never_stood_has_no_images_to_compare_but_the_others_have() -> None:
    never = manifest("never", scenario("n", "harness"))
    whole = merge([never, stood("one"), stood("two")], "x")
    assert (whole["images"], whole["image_tags"], whole["stack"]) == (BUILT, TAGS, PROGRAMS)
    other = {**TAGS, "lb1": "rmqha/balancer:bookworm-ba9876543210"}
    with pytest.raises(UserInputError, match="the image of lb1 is"):
        merge([never, stood("one"), stood("two", other)], "x")


def test_a_run_that_noted_no_code_is_not_merged_with_one_that_did() -> None:
    old = manifest("old", scenario("a"))
    del old["code_sha256"]
    with pytest.raises(UserInputError, match="the digest of the code is not noted in old and noted in new"):
        merge([old, manifest("new", scenario("b"))], "x")


def test_the_whole_has_the_code_of_all(tmp_path: Path) -> None:
    one = manifest("one", scenario("a"), code_sha256={"pytest-rmqha": "1", "a/test_a.py": "2"})
    two = manifest("two", scenario("b"), code_sha256={"pytest-rmqha": "1", "b/test_b.py": "3"})
    assert merge([one, two], "x")["code_sha256"] == {"pytest-rmqha": "1", "a/test_a.py": "2", "b/test_b.py": "3"}


# what -k and the like left out


def not_chosen(*nodeids: str) -> list[dict[str, Any]]:
    return [left_out(nodeid, NOT_CHOSEN) for nodeid in nodeids]


def test_what_one_run_left_out_and_another_has_is_there() -> None:
    one = manifest("one", scenario("a"), left_out=not_chosen("b"))
    two = manifest("two", scenario("b"), left_out=not_chosen("a"))
    whole = merge([one, two], "x")
    assert (whole["exit_status"], whole["lacking"], whole["left_out"]) == (0, [], [])


def test_what_each_of_several_choices_left_out_is_lacking() -> None:
    one = manifest("one", scenario("a"), left_out=not_chosen("b", "c"))
    two = manifest("two", scenario("b"), left_out=not_chosen("a", "c"))
    whole = merge([one, two], "x")
    assert (whole["exit_status"], whole["lacking"]) == (1, [f"c: {NOT_CHOSEN}, and no run has it"])
    assert [one["nodeid"] for one in whole["left_out"]] == ["c"]


def test_runs_of_the_very_same_choice_are_what_was_chosen() -> None:
    """As one run with that -k is: green, and what was left out is listed."""
    one = shard(1, scenario("a"), left_out=[elsewhere("b", 2), *not_chosen("c")])
    two = shard(2, scenario("b"), left_out=[elsewhere("a", 1), *not_chosen("c")])
    alone = manifest("alone", scenario("a"), left_out=not_chosen("c"))
    for whole in (merge([one, two], "x"), merge([alone], "x")):
        assert (whole["exit_status"], whole["lacking"]) == (0, [])
        assert [(one["nodeid"], one["reason"]) for one in whole["left_out"]] == [("c", NOT_CHOSEN)]


def test_a_run_and_the_one_that_resumed_it_with_the_same_choice() -> None:
    stopped = manifest("one", scenario("a"), left_out=not_chosen("c"), not_reached=["b"], exit_status=2)
    resumed = manifest("two", scenario("b"), left_out=[left_out("a", "passed already in one"), *not_chosen("c")])
    assert merge([stopped, resumed], "x")["lacking"] == []


@pytest.mark.parametrize(
    "other",
    [
        manifest("two", scenario("a")),
        manifest("two", scenario("a"), left_out=not_chosen("c", "d")),
        manifest("two", scenario("a"), left_out=[left_out("c", "belongs to shard 2/2")]),
        manifest("two", scenario("a"), scenario("e"), left_out=not_chosen("c")),
    ],
    ids=["other-paths", "another-k", "a-shard-without-k", "more-paths"],
)
@pytest.mark.parametrize("order", [1, -1])
def test_another_choice_is_no_excuse(other: dict[str, Any], order: int) -> None:
    runs = [manifest("one", scenario("a"), left_out=not_chosen("c")), other]
    lacking = merge(runs[::order], "x")["lacking"]
    assert any(sentence.startswith("c: ") and sentence.endswith("and no run has it") for sentence in lacking)


def test_what_does_not_apply_to_the_stack_is_not_lacking_because_somebody_did_not_choose_it() -> None:
    profile = left_out("c", "profile gate has it not, nightly has")
    whole = merge([manifest("one", scenario("a"), left_out=not_chosen("c")), manifest("two", left_out=[profile])], "x")
    assert whole["lacking"] == []
    assert [one["reason"] for one in whole["left_out"]] == [profile["reason"]]


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


@pytest.mark.parametrize(
    ("one", "two", "status"),
    [("passed", "passed", 0), ("passed", "harness", 1), ("undecided", "passed", 1), ("passed", "failed", 1)],
)
def test_what_every_shard_is_asked_holds_only_if_it_holds_in_each(one: str, two: str, status: int) -> None:
    whole = merge([shard(1, scenario("end", one)), shard(2, scenario("end", two))], "x")

    assert whole["exit_status"] == status
    assert [record["outcome"] for record in whole["scenarios"]] == [two if one == "passed" else one]


def test_a_shard_that_was_resumed_settles_its_own() -> None:
    resumed = {**shard(2, scenario("end")), "run": "again"}

    assert merge([shard(1, scenario("end")), shard(2, scenario("end", "harness")), resumed], "x")["exit_status"] == 0


def test_what_one_shard_did_not_reach_no_other_one_answers() -> None:
    stopped = shard(2, scenario("a"), not_reached=["end"], exit_status=2)

    whole = merge([shard(1, scenario("end")), stopped], "x")

    assert (whole["exit_status"], whole["not_reached"]) == (1, ["end"])
