"""What a run took over from an earlier one, in a merge: it stands only with that run; and what a merge lacked, merged again."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rmqha.merged import merge
from pytest_rmqha.selection import NOT_CHOSEN
from tests.unit.manifests import left_out, manifest, scenario

FAILED = "FAILED already in A: a verdict is never retried"
PASSED = "passed already in A"


def shard(run: str, index: int, *scenarios: dict[str, Any], **more: Any) -> dict[str, Any]:
    return manifest(run, *scenarios, shard={"index": index, "count": 2, "of": "x"}, **more)


def whole(scenario_outcome: str, ids: tuple[str, ...] = ("G11",)) -> dict[str, Any]:
    """Two shards as one, the second of which has that outcome of a test that both were asked."""
    return merge(
        [shard("s1", 1, scenario("end", ids=ids)), shard("s2", 2, scenario("end", scenario_outcome, ids=ids))], "M"
    )


@pytest.mark.parametrize("order", [1, -1])
def test_a_failed_verdict_of_a_run_that_is_not_given_is_not_taken_back(order: int) -> None:
    red = manifest("B", scenario("b"), left_out=[left_out("a", FAILED)], exit_status=1)
    found = merge([red, manifest("C", scenario("a"))][::order], "x")
    assert found["exit_status"] == 1
    assert found["lacking"] == [f"a: {FAILED}, which is not among the runs"]
    assert [(one["nodeid"], one["reason"]) for one in found["left_out"]] == [("a", FAILED)]


def test_a_failed_verdict_that_the_named_run_has_not_is_lacking() -> None:
    red = manifest("B", scenario("b"), left_out=[left_out("a", FAILED)], exit_status=1)
    assert merge([manifest("A", scenario("a")), red], "x")["lacking"] == [f"a: {FAILED}, and no run has it"]


@pytest.mark.parametrize("said", [FAILED, PASSED])
def test_another_shard_proves_nothing_of_what_this_one_took_over(said: str) -> None:
    other = shard("one", 1, scenario("end"), scenario("a"))
    resumed = shard("two", 2, scenario("b"), left_out=[left_out("end", said)], exit_status=int(said == FAILED))
    found = merge([other, resumed], "x")
    assert (found["exit_status"], found["lacking"]) == (1, [f"end: {said}, which is not among the runs"])


def test_a_pass_that_was_taken_over_is_kept_by_its_run_or_by_the_same_stack() -> None:
    resumed = shard("two", 2, scenario("b"), left_out=[left_out("end", PASSED)])
    for keeper in (shard("A", 2, scenario("end")), shard("again", 2, scenario("end"))):
        found = merge([shard("one", 1, scenario("end")), keeper, resumed], "x")
        assert (found["exit_status"], found["lacking"], found["left_out"]) == (0, [], [])


def test_a_run_in_a_merge_in_a_merge_is_given() -> None:
    inner = merge([merge([manifest("A", scenario("a"))], "inner"), manifest("other", scenario("c"))], "outer")
    resumed = manifest("B", scenario("b"), left_out=[left_out("a", PASSED), left_out("c", "passed already in inner")])
    assert merge([inner, resumed], "x")["exit_status"] == 0
    assert inner["merged"] == ["inner", "other"]


def test_a_verdict_that_a_merge_lost_is_lost_in_the_next_until_its_run_is_given() -> None:
    red = manifest("B", scenario("b"), left_out=[left_out("a", FAILED)], exit_status=1)
    inner = merge([red, manifest("C", scenario("a"))], "inner")
    later = manifest("D", scenario("a"), scenario("d"))
    assert merge([inner, later], "x")["lacking"] == [f"a: {FAILED}, which is not among the runs"]
    found = merge([inner, manifest("A", scenario("a", "failed"))], "x")
    assert (found["lacking"], [one["outcome"] for one in found["scenarios"]]) == ([], ["passed", "failed"])


LACKING = {
    "a-shard": ([shard("one", 1, scenario("u", "undecided"))], "shard 2/2 is not among the runs"),
    "an-odd-end": ([manifest("one", scenario("u", "undecided"), exit_status=3)], "one ended with exit status 3"),
    "a-promise": (
        [manifest("one", scenario("u", "undecided"), left_out=[left_out("a", PASSED)])],
        f"a: {PASSED}, which is not among the runs",
    ),
}


@pytest.mark.parametrize(("runs", "said"), LACKING.values(), ids=LACKING)
def test_what_a_merge_lacked_stays_lacking(runs: list[dict[str, Any]], said: str) -> None:
    """An undecided record explains its exit status, and a later run passes that record."""
    inner = merge(runs, "inner")
    assert said in inner["lacking"]
    found = merge([inner, manifest("later", scenario("u"), scenario("a"))], "outer")
    assert (found["exit_status"], found["lacking"]) == (1, [said])


def test_what_a_later_run_reached_is_no_longer_lacking() -> None:
    inner = merge([manifest("one", scenario("a"), not_reached=["b", "c"], exit_status=2)], "inner")
    found = merge([inner, manifest("two", scenario("b"))], "outer")
    assert (found["lacking"], found["not_reached"]) == (["no run reached c"], ["c"])
    assert merge([found, manifest("three", scenario("c"))], "x")["exit_status"] == 0


def test_what_one_shard_did_not_reach_is_lacking_in_a_merge_of_merges() -> None:
    stopped = shard("s2", 2, scenario("b", "undecided"), not_reached=["end"], exit_status=2)
    inner = merge([shard("s1", 1, scenario("end")), stopped], "inner")
    assert inner["lacking"] == ["no run of shard 2/2 reached end"]
    assert merge([inner, manifest("two", scenario("b"), scenario("end"))], "x")["lacking"] == inner["lacking"]
    resumed = shard("again", 2, scenario("b"), scenario("end"))
    assert "no run of shard 2/2 reached end" not in merge([inner, resumed], "x")["lacking"]


@pytest.mark.parametrize("ids", [("G10",), ("G10", "G11")])
def test_what_every_shard_is_asked_is_not_taken_back_once_they_are_merged(ids: tuple[str, ...]) -> None:
    later = manifest("later", scenario("end", ids=ids))
    assert merge([whole("undecided", ids), later], "x")["exit_status"] == 1
    assert merge([whole("passed", ids), later], "x")["exit_status"] == 0


def test_what_a_merge_of_shards_has_not_decided_a_later_run_may() -> None:
    assert merge([whole("undecided", ("N1",)), manifest("later", scenario("end"))], "x")["exit_status"] == 0


def test_what_nobody_chose_is_lacking_in_a_merge_of_merges_too() -> None:
    one = manifest("one", scenario("u", "undecided"), left_out=[left_out("c", NOT_CHOSEN)])
    inner = merge([one, manifest("two", scenario("b"))], "inner")
    said = [f"c: {NOT_CHOSEN}, and no run has it"]
    assert (inner["lacking"], merge([inner], "x")["lacking"]) == (said, said)
    assert merge([inner, manifest("three", scenario("u"), scenario("c"))], "x")["exit_status"] == 0
    profile = manifest("three", scenario("u"), left_out=[left_out("c", "profile gate has it not, nightly has")])
    assert merge([inner, profile], "x")["lacking"] == []
