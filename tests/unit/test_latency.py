"""Histograms of the load client against exact percentiles, their memory, and which window a message belongs to."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter

import pytest

from pytest_rmqha.client.meter import Latencies
from pytest_rmqha.report.latency import latencies, milliseconds, percentiles
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History

OFF = 0.032
EVENTS = [
    Event(100, "scenario.begin", "kill"),
    Event(110.5, "fault.injected", "rmq2 killed"),
    Event(118, "fault.healed", "rmq2 killed"),
    Event(120.2, "fault.gone", "rmq2 killed"),
]


def recorded(*waits: tuple[float, float]) -> History:
    """(when the wait was over, its seconds), as the client would tell them."""
    found = Latencies()
    for at, seconds in waits:
        found.add(at, seconds)
    return History((), latencies={"publish": tuple((second, tuple(steps)) for second, steps in found.dump())})


def merged(found: Latencies) -> Counter[int]:
    counts: Counter[int] = Counter()
    for _, steps in found.dump():
        for micros, count in steps:
            counts[micros] += count
    return counts


@pytest.mark.parametrize("seed", range(20))
def test_percentiles_are_at_most_the_stated_error_off(seed: int) -> None:
    chance = random.Random(seed)
    waits = [chance.lognormvariate(-5, 1.5 + seed / 20) for _ in range(chance.randint(1, 3000))]
    found = Latencies()
    for place, seconds in enumerate(waits):
        found.add(100 + place / 500, seconds)

    told = percentiles(merged(found))
    waits.sort()

    assert told.count == len(waits)
    for share, value in ((0.5, told.p50), (0.9, told.p90), (0.99, told.p99), (1.0, told.max)):
        exact = waits[math.ceil(share * len(waits)) - 1]
        assert value == pytest.approx(exact, rel=OFF, abs=1e-6)


@pytest.mark.parametrize("micros", [0, 1, 31, 32, 33, 63, 64, 1000, 10**6, 3 * 10**8, 2**31 - 1])
def test_each_size_is_told_within_the_error(micros: int) -> None:
    found = Latencies()
    found.add(100, (micros + 0.5) / 1e6)

    (told,) = merged(found)

    assert told == micros if micros < 32 else told == pytest.approx(micros, rel=OFF)


@pytest.mark.parametrize(("seconds", "told"), [(-1.0, 0), (1e6, 2**31)])
def test_what_is_beyond_the_range_is_told_as_its_edge(seconds: float, told: int) -> None:
    found = Latencies()
    found.add(100, seconds)

    assert next(iter(merged(found))) == pytest.approx(told, rel=OFF)


def test_forty_minutes_stay_below_ten_megabytes_even_if_no_two_waits_are_alike() -> None:
    chance = random.Random(1)
    each = 20
    kept = 0
    for _ in ("publish", "deliver"):
        found = Latencies()
        for place in range(2400 // each * 600):
            found.add(100 + place / 600, 10 ** chance.uniform(-4, 2.5))
        kept += each * sum(sys.getsizeof(packed) + 100 for _, packed in found._packed)

    assert kept < 10_000_000


def test_a_second_that_is_over_takes_more_of_the_same_second_after_a_dump() -> None:
    found = Latencies()
    found.add(100.1, 0.01)
    found.dump()
    found.add(100.2, 0.01)

    assert sum(merged(found).values()) == 2


def test_windows_are_before_the_injection_after_it_was_gone_and_all_between() -> None:
    history = recorded((105, 0.001), (109.9, 0.002), (115, 3.0), (119, 0.5), (125, 0.004))

    found = latencies(history, EVENTS, "publish")

    assert {window: row.count for window, row in found.items()} == {"before": 2, "during": 2, "after": 1}
    assert found["during"].max == pytest.approx(3.0, rel=OFF)
    assert found["after"].p50 == pytest.approx(0.004, rel=OFF)


def test_what_was_on_its_way_belongs_to_the_fault_whenever_it_arrived() -> None:
    """Sent before and answered in it, and sent in it and answered when it was gone."""
    found = latencies(recorded((112, 6.0), (124, 8.0)), EVENTS, "publish")

    assert {window: row.count for window, row in found.items()} == {"during": 2}


def test_a_fault_that_was_never_gone_has_no_after() -> None:
    assert list(latencies(recorded((105, 0.1), (500, 0.1)), EVENTS[:2], "publish")) == ["before", "during"]


def test_several_faults_are_one_window_from_the_first_to_the_last() -> None:
    second = [Event(130, "fault.injected", "again"), Event(140, "fault.gone", "again")]

    found = latencies(recorded((125, 0.1), (145, 0.1)), [*EVENTS, *second], "publish")

    assert list(found) == ["during", "after"]


def test_without_a_fault_there_is_one_window_and_without_a_load_none() -> None:
    assert list(latencies(recorded((105, 0.1)), EVENTS[:1], "publish")) == ["whole load"]
    assert latencies(History(()), EVENTS, "deliver") == {}


@pytest.mark.parametrize(("seconds", "told"), [(0.00084, "0.84"), (0.0123, "12.3"), (0.2, "200"), (4.51, "4,510")])
def test_milliseconds_have_three_digits_that_mean_something(seconds: float, told: str) -> None:
    assert milliseconds(seconds) == told
