"""Numbers of a scenario and what followed its faults, on histories and timelines typed by hand."""

from __future__ import annotations

import math

import pytest

from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.report.fault_spells import began_at
from pytest_rmqha.report.figures import figures
from pytest_rmqha.report.gaps import closed_gaps, standstills
from pytest_rmqha.report.outages import outages
from pytest_rmqha.report.phases import Outage
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Connect, Gap, History, Sample, Stream

KILL = "rmq2 killed"
Rates = dict[str, tuple[tuple[float, int], ...]]


def event(at: float, kind: str, subject: str = "", text: str = "", **data: object) -> Event:
    return Event(at, kind, subject, text, data)


def ran(*gaps: Gap, rates: Rates | None = None) -> History:
    return History((Stream("p.q", "q", 1),), gaps=gaps, rates=rates or {}, window=(100.0, 160.0))


def told(outage: Outage) -> list[tuple[str, float]]:
    """The heal left out: it is always there."""
    heal = ("fault healed", "fault gone")
    return [(m.label, round(m.after, 3)) for m in outage.milestones if m.label not in heal]


KILLED = [
    event(100, "scenario.begin"),
    event(120, "fault.injected", KILL),
    event(120.1, "client", "p.q", "disconnected"),
    event(120.3, "fault.seen", KILL),
    event(121, "leader", "q", "rabbit@rmq1"),
    event(122, "backend", "lb1/rmq2", "DOWN", state="DOWN"),
    event(122.5, "vip", "10.0.0.9", "not held", member="lb1", held=False),
    event(123, "vip", "10.0.0.9", "held", member="lb2", held=True),
    event(123.5, "client", "p.q", "connected", again=True),
    event(140, "fault.healed", KILL),
    event(144, "fault.gone", KILL),
    event(146, "leader", "q", "rabbit@rmq2"),
]


def test_totals_are_of_all_streams() -> None:
    one = Stream(
        "p.a",
        "a",
        10,
        confirmed=Bitmap.of(0, 1, 2, 3),
        nacked=Bitmap.of(4),
        returned=Bitmap.of(5),
        delivered=Bitmap.of(0, 1, 2, 6),
        repeated=Bitmap.of(1, 6),
        republished=Bitmap.of(6),
    )
    two = Stream("p.b", "b", 3, confirmed=Bitmap.first(3), delivered=Bitmap.first(3))
    connects = (Connect("probe", 1, 0.1, True), Connect("probe", 2, 5, False, "timeout"))

    f = figures(History((one, two), Sample(2, ("x", "y")), connects=connects), [])

    assert (f.attempted, f.confirmed, f.refused, f.unknown) == (13, 7, 2, 4)
    assert (f.delivered, f.lost, f.recovered, f.duplicated, f.resent) == (7, 1, 1, 2, 1)
    assert (f.unexpected, f.connects, f.failed_connects) == (2, 1, 1)


def test_without_a_load_there_is_no_outage_to_measure() -> None:
    f = figures(History(()), [])

    assert f.longest_outage is f.longest_delivery_gap is f.outage_total is None


def test_a_load_without_gaps_has_outage_zero() -> None:
    assert figures(ran(), []).longest_outage == 0.0


def test_the_longest_is_one_clients_and_the_total_joins_overlaps() -> None:
    f = figures(ran(Gap("a", "publish", 120, 124), Gap("b", "publish", 122, 125), Gap("a", "publish", 130, 131)), [])

    assert f.longest_outage == 4
    assert f.outage_total == 6
    assert f.longest_delivery_gap == 0


def test_a_gap_that_never_ended_lasts_until_the_loads_end() -> None:
    assert closed_gaps(ran(Gap("a", "publish", 150, math.inf)), "publish") == (Gap("a", "publish", 150, 160.0),)


def test_waiting_for_messages_that_nobody_sent_any_more_is_no_gap() -> None:
    rates: Rates = {"publish": ((157.8, 60), (158.0, 30)), "deliver": ((157.8, 60), (158.0, 30))}

    assert not standstills(ran(Gap("c", "deliver", 158.1, 159.2), rates=rates), "deliver")


@pytest.mark.parametrize("missing", ["a publisher stood still", "a confirmed one is missing", "it went on afterwards"])
def test_a_wait_at_the_end_that_was_for_something_is_a_gap(missing: str) -> None:
    rates: Rates = {"publish": ((157.8, 60), (158.0, 30)), "deliver": ((157.8, 60), (158.0, 30))}
    gaps = [Gap("c", "deliver", 158.1, 159.2)]
    stream = Stream("p.q", "q", 1, confirmed=Bitmap.of(0), delivered=Bitmap.of(0))
    if missing == "a publisher stood still":
        gaps.append(Gap("p", "publish", 158.1, 160.0))
    elif missing == "a confirmed one is missing":
        stream = Stream("p.q", "q", 1, confirmed=Bitmap.of(0))
    else:
        rates["deliver"] += ((159.2, 5),)

    assert standstills(History((stream,), gaps=tuple(gaps), rates=rates, window=(100, 160)), "deliver")


def test_the_milestones_of_an_outage_come_in_order_of_time() -> None:
    history = ran(Gap("p.q", "publish", 119.9, 124), Gap("c.q", "deliver", 119.95, 124.5))

    (outage,) = outages(history, list(reversed(KILLED)))

    assert (outage.fault, outage.struck) == (KILL, 120)
    assert told(outage) == [
        ("client cut off", 0.1),
        ("seen in effect", 0.3),
        ("new leader", 1.0),
        ("backend DOWN", 2.0),
        ("VIP moved", 3.0),
        ("client reconnected", 3.5),
        ("first confirm", 4.0),
        ("first delivery", 4.5),
    ]


def test_a_client_that_the_fault_did_not_touch_does_not_shorten_the_outage() -> None:
    lucky = [
        event(120.2, "client", "p.other", "connected", again=True),
        event(120.3, "client", "p.other", "first_confirm"),
    ]
    history = ran(Gap("p.q", "publish", 119.9, 124), Gap("p.other", "publish", 119.9, 120.3))

    (outage,) = outages(history, [*KILLED, *lucky])

    assert ("first confirm", 4.0) in told(outage)
    assert ("client reconnected", 3.5) in told(outage)


def test_a_stall_that_never_ended_has_no_first_confirm() -> None:
    (outage,) = outages(ran(Gap("p.q", "publish", 119.9, 160)), KILLED)

    assert "first confirm" not in dict(told(outage))


def test_what_comes_after_the_fault_is_gone_is_not_its_new_leader() -> None:
    events = [one for one in KILLED if one.at not in (121,)]

    assert "new leader" not in dict(told(outages(ran(), events)[0]))


def test_each_fault_has_its_own_milestones_up_to_the_next() -> None:
    second = [event(150, "fault.injected", "vip gone"), event(151, "vip", "10.0.0.9", "held", member="lb1", held=True)]

    found = outages(ran(), [*KILLED, *second])

    assert [outage.fault for outage in found] == [KILL, "vip gone"]
    assert told(found[1]) == [("VIP moved", 1.0)]


def test_management_proxies_are_not_the_loads() -> None:
    events = [
        event(1, "fault.injected", KILL),
        event(2, "backend", "lb1/management_brokers/rmq2", "DOWN", state="DOWN"),
        event(3, "backend", "lb1/amqp/rmq2", "DOWN", state="DOWN"),
    ]

    assert told(outages(ran(), events)[0]) == [("backend DOWN", 2.0)]


def test_an_earlier_scenario_is_left_out() -> None:
    events = [event(10, "scenario.begin"), event(20, "fault.injected", "earlier"), *KILLED]

    assert [outage.fault for outage in outages(ran(), events)] == [KILL]
    assert began_at(ran(), events) == 100


def test_the_zero_without_a_begin_is_what_came_first() -> None:
    assert began_at(ran(), [event(99, "note")]) == 99
    assert began_at(ran(), []) == 100
    assert began_at(History(()), []) == 0
