"""An outage split by its milestones: nothing guessed, no time lost, the longest phase named."""

from __future__ import annotations

import pytest

from pytest_rmqha.report.measurements import measurements, properties
from pytest_rmqha.report.outages import changes, outages
from pytest_rmqha.report.phases import NAMES, Milestone, Outage, told, worst
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Gap, History, Stream

KILL = "rmq2 killed"


def event(at: float, kind: str, subject: str = "", text: str = "", **data: object) -> Event:
    return Event(at, kind, subject, text, data)


def ran(*gaps: Gap) -> History:
    return History((Stream("p.q", "q", 1), Stream("p.other", "other", 1)), gaps=gaps, window=(100.0, 200.0))


KILLED = [
    event(90, "backend", "lb1/amqp/rmq2", "UP", state="UP"),
    event(90, "vip", "10.0.0.9", "held", member="lb1", held=True),
    event(100, "scenario.begin"),
    event(120, "fault.injected", KILL),
    event(120.1, "client", "p.q", "disconnected"),
    event(120.2, "fault.seen", KILL),
    event(120.3, "peer", "rmq1/rabbit@rmq2", "down", state="down"),
    event(120.4, "leader", "other", "rmq1"),
    event(121, "leader", "q", "rmq1"),
    event(122, "backend", "lb1/amqp/rmq2", "DOWN", state="DOWN"),
    event(123, "vip", "10.0.0.9", "held", member="lb2", held=True),
    event(123.5, "client", "p.q", "connected", again=True),
    event(140, "fault.healed", KILL),
    event(144, "fault.gone", KILL),
]
BOTH = (Gap("p.q", "publish", 119.9, 124.0), Gap("c.q", "deliver", 119.95, 124.5))


def split(events: list[Event], *gaps: Gap) -> list[tuple[str, float]]:
    outage = outages(ran(*gaps), events)[0]
    return [(phase.label, round(phase.seconds, 3)) for phase in outage.phases]


def test_an_outage_is_split_without_gap_or_overlap() -> None:
    (outage,) = outages(ran(*BOTH), KILLED)

    assert split(KILLED, *BOTH) == [
        ("client notices", 0.1),
        ("brokers notice", 0.2),
        ("new leader", 0.7),
        ("balancer notices", 1.0),
        ("VIP moves", 1.0),
        ("reconnect", 0.5),
        ("first confirm", 0.5),
        ("first delivery", 0.5),
    ]
    assert outage.seconds == 4.5
    assert sum(phase.seconds for phase in outage.phases) == pytest.approx(outage.seconds)


@pytest.mark.parametrize("kind", ["peer", "leader", "backend", "vip", "client"])
def test_a_phase_without_its_event_is_left_out_and_its_time_is_the_next_ones(kind: str) -> None:
    names = {"peer": "brokers notice", "leader": "new leader", "backend": "balancer notices", "vip": "VIP moves"}
    found = split([e for e in KILLED if e.kind != kind], *BOTH)

    assert names.get(kind, "reconnect") not in dict(found)
    assert sum(seconds for _, seconds in found) == pytest.approx(4.5)


def test_the_harness_own_look_is_no_phase() -> None:
    assert "seen in effect" not in NAMES
    assert all(label in NAMES.values() for label, _ in split(KILLED, *BOTH))


def test_only_the_leader_of_the_queue_that_stood_still_counts() -> None:
    events = [e for e in KILLED if e.subject != "q"]

    assert "new leader" not in dict(split(events, *BOTH))
    assert "other on rmq1" in [m.detail for m in outages(ran(*BOTH), events)[0].milestones]


def test_a_client_that_is_connected_again_waits_for_no_balancer() -> None:
    early = [e for e in KILLED if e.text != "connected"] + [event(120.5, "client", "p.q", "connected", again=True)]

    found = split(early, BOTH[0])

    assert [label for label, _ in found] == [
        "client notices",
        "brokers notice",
        "reconnect",
        "new leader",
        "first confirm",
    ]


def test_an_outage_that_only_the_heal_ended_says_so() -> None:
    outage = outages(ran(Gap("p.q", "publish", 120, 146)), [KILLED[2], KILLED[3], *KILLED[-2:]])[0]

    assert [(p.label, p.seconds) for p in outage.phases] == [("fault lasts", 20), ("healing", 4), ("first confirm", 2)]
    assert outage.dominating is not None
    assert outage.dominating.label == "fault lasts"


def test_a_stall_that_never_ended_has_no_confirm_but_an_end() -> None:
    assert split(KILLED, Gap("p.q", "publish", 120, 200))[-1] == ("not served again", 56.0)


def test_without_a_gap_there_is_nothing_to_split() -> None:
    (outage,) = outages(ran(), KILLED)

    assert (outage.phases, outage.seconds, outage.dominating, told([outage])) == ((), 0.0, None, "")


def test_a_stall_that_began_later_lost_no_time_before_it() -> None:
    (outage,) = outages(ran(Gap("p.q", "publish", 122.5, 124)), KILLED)

    assert outage.seconds == 1.5
    assert [phase.label for phase in outage.phases] == ["VIP moves", "reconnect", "first confirm"]


def test_stalls_at_different_times_are_not_one_outage() -> None:
    (outage,) = outages(ran(Gap("p.q", "publish", 120, 121), Gap("c.q", "deliver", 130, 133)), KILLED)

    assert outage.seconds == 3


def test_a_gap_belongs_to_the_fault_that_struck_nearest_to_its_start() -> None:
    events = [*KILLED, event(150, "fault.injected", "vip gone"), event(155, "fault.gone", "vip gone")]

    found = outages(ran(Gap("p.q", "publish", 120, 124), Gap("p.q", "publish", 149.2, 151)), events)

    assert [outage.seconds for outage in found] == [4, 1]


def test_what_a_watcher_repeats_after_it_was_blind_is_no_change() -> None:
    states = ("UP", "unanswered", "UP", "DOWN", "unanswered", "DOWN")
    events = [event(at, "backend", "lb1/rmq1", state, state=state) for at, state in enumerate(states)]

    assert [e.at for e in changes(events) if e.text != "unanswered"] == [0, 3]


def test_the_vip_that_its_holder_is_seen_to_hold_again_has_not_moved() -> None:
    again = event(123, "vip", "10.0.0.9", "held", member="lb1", held=True)
    events = [again if e.kind == "vip" and e.at == 123 else e for e in KILLED]

    assert "VIP moves" not in dict(split(events, *BOTH))


def test_of_equal_phases_the_earlier_dominates() -> None:
    outage = Outage(KILL, 0, (Milestone("new leader", 1), Milestone("first confirm", 2)), (0, 2))

    assert outage.dominating is not None
    assert outage.dominating.label == "new leader"
    assert told([outage]) == "longest phase: new leader 1.00 s of 2.00 s (50%)"


def test_the_worst_of_several_outages_is_told() -> None:
    short, long = (Outage(KILL, 0, (Milestone("first confirm", end),), (0, end)) for end in (1.0, 5.0))

    assert worst([short, long, Outage("quiet", 0, ())]) is long
    assert worst([]) is None


def test_properties_name_each_phase_in_seconds() -> None:
    found = dict(properties(ran(*BOTH), KILLED))

    assert found["rmq.outage.1.fault"] == KILL
    assert found["rmq.outage.1.seconds"] == "4.500"
    assert found["rmq.outage.1.phase.vip_moves"] == "1.000"
    assert found["rmq.outage.1.dominating"] == "balancer notices"
    assert found["rmq.dominating"].startswith("longest phase: balancer notices")
    assert not any("latency" in name for name in found)


def test_measurements_are_milliseconds_and_only_what_was_measured() -> None:
    history = History((), gaps=BOTH, window=(100, 200), latencies={"deliver": ((105, ((2000, 3),)),)})

    rows = measurements("kill", history, KILLED, 5, 9)
    values = {row["key"]: row["value"] for row in rows}

    assert {(row["id"], row["start"], row["stop"]) for row in rows} == {("kill", 5, 9)}
    assert values["outage.publish"] == pytest.approx(4100)
    assert values["phase.new_leader"] == pytest.approx(700)
    assert values["latency.end_to_end.before.p99"] == 2.0
    assert not any(key.startswith("latency.confirm") for key in values)
    assert measurements("none", History(()), [], 0, 0) == []
