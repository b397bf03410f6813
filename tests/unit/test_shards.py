"""Shards: the value that is read, plays dealt out by cost, and parts that do not fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_rmqha.estimates import MEASURED
from pytest_rmqha.setting_values import BadValue
from pytest_rmqha.shards import Shard, asked_in, dealt, digest, is_elsewhere, missing, read_shard, why_elsewhere


def test_a_shard_is_read_and_printed() -> None:
    assert read_shard("", Path()) is None
    assert read_shard("2/4", Path()) == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "1/100", "-1/3", "1/3 "])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="I/N with I from 1 to N"):
        read_shard(text, Path())


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_every_play_is_in_one_part_and_the_parts_are_about_equal(count: int) -> None:
    parts = dealt(MEASURED, count)
    loads = [sum(MEASURED[name] for name, part in parts.items() if part == n) for n in range(1, count + 1)]

    assert parts.keys() == MEASURED.keys()
    assert max(loads) - min(loads) <= max(MEASURED.values())
    assert max(loads) <= 4 / 3 * max(sum(MEASURED.values()) / count, *MEASURED.values())


def test_the_parts_do_not_depend_on_the_order() -> None:
    backwards = dict(reversed(list(MEASURED.items())))
    assert dealt(backwards, 3) == dealt(MEASURED, 3)


def test_equal_costs_are_dealt_by_name() -> None:
    assert dealt({"c": 1, "a": 1, "b": 1, "d": 1}, 2) == {"a": 1, "b": 2, "c": 1, "d": 2}


def test_a_reason_is_known_again() -> None:
    assert is_elsewhere(why_elsewhere(2, 4))
    assert not is_elsewhere("profile gate has it not, nightly has")


def part(index: int, count: int = 3, of: str = "x") -> dict[str, object]:
    return {"index": index, "count": count, "of": of}


def test_what_is_missing_is_said() -> None:
    assert missing([]) == []
    assert missing([part(1), part(2), part(3), part(2)]) == []
    assert missing([part(1), part(3)]) == ["shard 2/3 is not among the runs"]
    for other in (part(2, of="y"), part(2, count=4)):
        assert "not parts of one whole" in missing([part(1), other])[0]


def test_the_digest_is_of_the_tests_whatever_their_order() -> None:
    assert digest(["a", "b"]) == digest(["b", "a"]) != digest(["a"])


def test_what_is_asked_of_every_stack_is_asked_where_it_can_be_answered() -> None:
    assert asked_in(3, [2, 2], after_faults=False) == {1, 2, 3}
    assert asked_in(3, [2, 2], after_faults=True) == {2}
    assert asked_in(3, [], after_faults=True) == {1, 2, 3}
