"""The timeline plot: well-formed, static, and with everything that happened on it. How it looks was looked at."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from pytest_rmqha.report import lanes, rates, svg
from pytest_rmqha.report.fault_spells import fault_spells
from pytest_rmqha.report.phase_lane import phase_lanes
from pytest_rmqha.report.phases import Milestone, Outage
from pytest_rmqha.report.plot import plot
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Gap, History, Stream

ANCHOR = datetime(2026, 1, 2, 23, 59, 50, 123456, UTC)
AXIS = svg.Axis(100, 160, 0, 600)
KILL = "rmq2 <killed> & gone"


def event(at: float, kind: str, subject: str = "", text: str = "", **data: object) -> Event:
    return Event(at, kind, subject, text, data)


EVENTS = [
    event(80, "backend", "lb1/amqp/rmq2", "UP", state="UP"),
    event(80, "backend", "lb1/management/rmq2", "UP", state="UP"),
    event(80, "vip", "10.0.0.9", "held", member="lb1", held=True),
    event(80, "vip", "10.0.0.9", "not held", member="lb2", held=False),
    event(85, "fault.injected", "of an earlier scenario"),
    event(86, "fault.gone", "of an earlier scenario"),
    event(100, "scenario.begin", "kill"),
    event(101, "client", "p.q", "connected", again=False),
    event(120, "fault.injected", KILL),
    event(120.1, "client", "p.q", "disconnected", reason="reset"),
    event(121, "leader", "q", "rabbit@rmq1"),
    event(122, "backend", "lb1/amqp/rmq2", "DOWN", state="DOWN"),
    event(123, "vip", "10.0.0.9", "not held", member="lb1", held=False),
    event(123.5, "vip", "10.0.0.9", "held", member="lb2", held=True),
    event(124, "client", "p.q", "connected", again=True),
    event(124, "client", "p.q", "first_confirm"),
    event(140, "fault.healed", KILL),
    event(145, "fault.gone", KILL),
    event(146, "backend", "lb1/amqp/rmq2", "UP", state="UP"),
    event(160, "scenario.end", "kill"),
]
HISTORY = History(
    (Stream("p.q", "q", 10),),
    latencies={"publish": ((110, ((5000, 10),)), (124, ((4_000_000, 1),)))},
    gaps=(Gap("p.q", "publish", 120, 124.04), Gap("c.q", "deliver", 120, 124.5)),
    rates={"publish": tuple((100 + n * 0.2, 20) for n in range(250)), "deliver": ((110.0, 5),)},
    window=(100, 158),
)


def drawn(history: History = HISTORY, events: Sequence[Event] = EVENTS, title: str = "N1 <kill>") -> str:
    return plot(history, events, title=title, anchor=ANCHOR)


def words(text: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]


def test_it_is_well_formed_and_1000_wide_and_static() -> None:
    text = drawn()
    root = ET.fromstring(text)

    assert root.get("width") == "1000"
    assert not re.search(r"<script|<foreignObject|href|\son\w+=|@import|<style", text)
    assert not re.search(r"\b(nan|inf)\b", text)


def test_everything_is_named_on_it() -> None:
    said = words(drawn())

    assert "N1 <kill>" in said
    assert f"{KILL}, 20.0 s" in said
    assert "no confirm for 4.0 s (p.q)" in said
    assert "no delivery for 4.5 s (c.q)" in said
    for label in ("leader of q", "VIP on lb1", "VIP on lb2", "lb1: rmq2", "client p.q", "rmq1", "held 23.0 s"):
        assert label in said
    assert "DOWN 24.0 s" in said


def test_the_outage_is_split_on_it_and_its_longest_phase_is_told() -> None:
    said = words(drawn())

    assert "outage, by phase" in said
    assert "4.5 s, longest: VIP moves 1.50 s" in said
    assert any(text.startswith("worst outage 4.50 s:") for text in said)


def test_latencies_stand_above_it() -> None:
    assert "confirm p50 / p90 / p99 / max in ms:  before 5.00 / 5.00 / 5.00 / 5.00" in " ".join(words(drawn()))


def test_the_axis_counts_from_the_scenarios_begin_and_tells_utc_past_midnight() -> None:
    said = words(drawn())

    assert any(text.startswith("0 s = 2026-01-02 23:59:50.123 UTC") for text in said)
    assert {"0 s", "20 s", "60 s", "23:59:50", "00:00:10"} <= set(said)


def test_an_earlier_scenarios_fault_is_not_on_it() -> None:
    assert "earlier" not in drawn()


@pytest.mark.parametrize("events", [[], [event(5, "note")], EVENTS])
@pytest.mark.parametrize("history", [History(()), History((), window=(5, 5.1)), HISTORY])
def test_little_or_nothing_is_drawn_too(history: History, events: list[Event]) -> None:
    ET.fromstring(drawn(history, events))


def test_a_gap_without_an_end_is_told_as_going_on() -> None:
    history = History((), gaps=(Gap("p.q", "publish", 120, float("inf")),), window=(100, 150))

    assert "no confirm for 30.0 s and on (p.q)" in words(drawn(history))


def test_a_fault_that_was_never_healed_lasts_to_the_end() -> None:
    (spell,) = fault_spells([event(120, "fault.injected", "f")], AXIS.start, AXIS.end)

    assert (spell.injected, spell.healed, spell.gone) == (120, 160, 160)


def test_the_same_fault_twice_is_two_spells() -> None:
    kinds = ("fault.injected", "fault.healed", "fault.gone") * 2
    events = [event(110 + n, kind, "f") for n, kind in enumerate(kinds)]

    found = fault_spells(events, AXIS.start, AXIS.end)

    assert [(s.injected, s.healed, s.gone) for s in found] == [(110, 111, 112), (113, 114, 115)]


def test_faults_at_the_same_time_have_lanes_of_their_own() -> None:
    events = [event(110, "fault.injected", "a"), event(111, "fault.injected", "b")]

    assert len([lane for lane in lanes.all_lanes(events, AXIS) if lane.group == "faults"]) == 2


def test_a_state_before_the_start_holds_at_the_start_and_repeats_are_one() -> None:
    events = [event(at, "backend", "lb1/rmq1", state=state) for at, state in ((90, "UP"), (120, "UP"), (130, "DOWN"))]

    found = lanes.spells(events, AXIS, lambda e: str(e.data["state"]))

    assert found == [lanes.Spell("UP", 100, 130), lanes.Spell("DOWN", 130, 160)]


def test_a_state_that_nobody_saw_yet_is_drawn_as_unknown() -> None:
    (lane,) = lanes.all_lanes([event(130, "backend", "lb1/rmq1", state="DOWN")], AXIS)

    assert any("stroke-dasharray" in shape for shape in lane.draw(0))


def test_outages_whose_words_would_meet_have_lanes_of_their_own() -> None:
    far, near, next_to = (Outage("f", at, (Milestone("first confirm", 2),), (0, 2)) for at in (101, 152, 104))

    assert len(list(phase_lanes([far, near], AXIS))) == 1
    assert len(list(phase_lanes([far, next_to], AXIS))) == 2
    assert list(phase_lanes([Outage("f", 101, ())], AXIS)) == []


def test_a_peer_that_was_never_missed_has_no_lane() -> None:
    events = [event(90, "peer", f"rmq1/rabbit@rmq{n}", "up", state="up") for n in (2, 3)]
    events.append(event(120, "peer", "rmq1/rabbit@rmq2", "down", state="down"))

    assert [lane.label for lane in lanes.all_lanes(events, AXIS)] == ["rmq1 sees rmq2"]


def test_marks_of_one_client_do_not_hide_one_another() -> None:
    texts = ("disconnected", "connected", "first_confirm")
    events = [event(120 + n / 100, "client", "p", text) for n, text in enumerate(texts)]
    (lane,) = lanes.all_lanes(events, AXIS)

    places = [
        float(x) for x in re.findall(r'<path d="M([\d.]+)|<circle cx="([\d.]+)', "".join(lane.draw(0))) for x in x if x
    ]
    assert len(places) == 3
    assert min(b - a for a, b in itertools.pairwise(sorted(places))) > 6


def test_more_clients_than_fit_are_counted() -> None:
    events = [event(110, "client", f"c{n:02}", "disconnected") for n in range(lanes.MOST_CLIENTS + 3)]

    assert lanes.all_lanes(events, AXIS)[-1].label == "and 3 more"


def test_rates_are_a_second_and_count_every_message_once() -> None:
    bins = rates.rates(HISTORY, "publish", AXIS)

    assert bins[0][2] == 100
    assert sum((end - start) * rate for start, end, rate in bins) == pytest.approx(250 * 20)


def test_long_loads_are_drawn_in_few_bins() -> None:
    history = History((), rates={"publish": ((0.0, 5), (7200.0, 5))}, window=(0, 7200))

    assert len(rates.rates(history, "publish", svg.Axis(0, 7200, 0, 1000))) <= rates.MOST_BINS + 1


def test_a_rare_peak_does_not_flatten_the_rest() -> None:
    top, peak = rates.scale([300.0] * 100 + [5000.0])

    assert peak == 5000
    assert 300 < top < 900


def test_ticks_read_well() -> None:
    assert list(AXIS.ticks())[:3] == [0, 5, 10]
    assert len(list(svg.Axis(0, 86400, 0, 1).ticks())) <= 16


def test_words_that_do_not_fit_are_cut_and_then_left_out() -> None:
    assert svg.shortened("rabbit@rmq1", 500) == "rabbit@rmq1"
    assert svg.shortened("a rather long name", 60).endswith("…")
    assert svg.shortened("a rather long name", 6) == ""
