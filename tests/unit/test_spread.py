"""V18: what counts as spread must be true of every way to deal that spreads, and of none that does not."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.gate.scenarios import SUITES

NODES = ("a", "b", "c")
BACK = "b"
Deal = Callable[[int, Mapping[str, int]], str]


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return importlib.import_module("plays.views")


def roundrobin(number: int, _: Mapping[str, int]) -> str:
    return NODES[number % 3]


def leastconn(_: int, has: Mapping[str, int]) -> str:
    return min(NODES, key=lambda node: has[node])


def source(_: int, __: Mapping[str, int]) -> str:
    return "a"


def without_the_one_that_is_back(number: int, _: Mapping[str, int]) -> str:
    return "ac"[number % 2]


def without_another(number: int, _: Mapping[str, int]) -> str:
    return "ab"[number % 2]


def slowly_to_the_one_that_is_back(number: int, _: Mapping[str, int]) -> str:
    return BACK if number % 12 == 0 else "ac"[number % 2]


def dealt(deal: Deal, count: int, has: dict[str, int]) -> dict[str, int]:
    """Node -> how many of ``count`` it got; ``has`` is what each has meanwhile."""
    shares = dict.fromkeys(NODES, 0)
    for number in range(count):
        node = deal(number, has)
        shares[node] += 1
        has[node] += 1
    return shares


@pytest.mark.parametrize("elsewhere", [(0, 0, 0), (4, 3, 2), (6, 0, 3)])
@pytest.mark.parametrize("deal", [roundrobin, leastconn])
def test_every_way_that_spreads_is_a_spread(views: Any, deal: Deal, elsewhere: tuple[int, int, int]) -> None:
    """A broker dies when each has its share, what it had goes to the others as they are dealt, and it comes back empty."""
    has = dict(zip(NODES, elsewhere, strict=True))
    before = dealt(deal, views.DEALT, has)
    assert min(before.values()) >= views.FAIR

    lasting = {**before, BACK: 0}
    has[BACK] = 0
    for number in range(before[BACK]):
        other = "ac"[number % 2]
        lasting[other] += 1
        has[other] += 1
    after = dealt(deal, views.DEALT, has)

    assert views.unevenly(after, lasting, BACK) == ""


@pytest.mark.parametrize(
    ("deal", "why"),
    [
        (source, "b, c got none of the new ones"),
        (without_the_one_that_is_back, "b got none of the new ones"),
        (without_another, "c got none of the new ones"),
        (slowly_to_the_one_that_is_back, "b is back and got 2 of the new ones, at least 4 are needed"),
    ],
)
def test_a_broker_that_is_left_out_is_named(views: Any, deal: Deal, why: str) -> None:
    after = dealt(deal, views.DEALT, dict.fromkeys(NODES, 0))

    assert views.unevenly(after, {"a": 12, "b": 0, "c": 12}, BACK) == why


def test_new_ones_that_make_it_more_uneven_are_no_spread(views: Any) -> None:
    assert "neither" in views.unevenly({"a": 18, "b": 4, "c": 2}, {"a": 12, "b": 0, "c": 12}, BACK)
