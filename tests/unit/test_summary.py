"""The ledger in plain text."""

from __future__ import annotations

from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.report.summary import summary
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Gap, History, Sample, Stream

STREAMS = (
    Stream("p.a", "a", 5, confirmed=Bitmap.of(0, 1, 2), delivered=Bitmap.of(0, 1, 3), repeated=Bitmap.of(1)),
    Stream("p.longer", "longer", 12345, confirmed=Bitmap.first(12345), delivered=Bitmap.first(12345)),
)
EVENTS = [
    Event(100, "scenario.begin", "kill"),
    Event(110, "fault.injected", "rmq2 killed"),
    Event(110.25, "fault.seen", "rmq2 killed"),
]
HISTORY = History(
    STREAMS,
    Sample(1, ("stray:7",)),
    gaps=(Gap("p.a", "publish", 110, 114), Gap("p.a", "publish", 120, 121), Gap("c.a", "deliver", 110, 130)),
    window=(100, 130),
)


def test_every_question_has_its_answer() -> None:
    text = summary(HISTORY, EVENTS)

    assert "attempted 12350, confirmed 12348, refused 0, unknown 2" in text
    assert "delivered 12348, lost 1, recovered 1, unexpected 1" in text
    assert "duplicated 1\n" in text
    assert "worst publish gap 4.00 s, in total 5.00 s" in text
    assert "worst delivery gap 20.00 s" in text
    assert "fault “rmq2 killed” at +10.00 s; seconds after it:\n     0.25  seen in effect" in text
    assert "stray:7" in text


def test_each_stream_has_a_line_under_its_heads() -> None:
    lines = summary(HISTORY).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("stream"))

    assert lines[head + 1].split() == ["p.a", "a", "5", "3", "0", "2", "3", "1", "1", "1", "0", "0"]
    assert len({len(line) for line in lines[head : head + 3]}) == 1


def test_each_client_has_its_worst_gap_on_the_scenarios_own_time() -> None:
    lines = [" ".join(line.split()) for line in summary(HISTORY, EVENTS).splitlines()]

    assert "p.a no confirm 4.00 +10.00 s +14.00 s" in lines
    assert "c.a no delivery 20.00 +10.00 s +30.00 s (end of the load)" in lines
    assert not any("+20.00 s" in line for line in lines)


def test_a_duplicate_that_the_publisher_sent_itself_says_so() -> None:
    twice = Stream("p.a", "a", 2, delivered=Bitmap.first(2), repeated=Bitmap.of(0, 1), republished=Bitmap.of(1))

    assert "duplicated 2 (1 sent again by the publisher itself)" in summary(History((twice,)))


def test_nothing_at_all_is_said_to_be_not_measured() -> None:
    text = summary(History(()))

    assert "attempted 0" in text
    assert "worst publish gap not measured" in text


def test_no_gap_is_not_called_zero() -> None:
    assert "worst publish gap below 0.25 s" in summary(History((), window=(1, 2)))


def test_a_fault_that_nothing_followed_says_so() -> None:
    assert "nothing was seen" in summary(History(()), EVENTS[:2])


def test_an_outage_is_split_and_its_longest_phase_marked() -> None:
    events = [*EVENTS, Event(112, "leader", "a", "rmq1"), Event(113.5, "client", "p.a", "connected", {"again": True})]
    lines = [line.strip() for line in summary(HISTORY, events).splitlines()]

    place = lines.index("the clients' outage by phases, 20.00 s:")
    assert lines[place + 1 : place + 4] == ["2.00  new leader", "1.50  reconnect", "0.50  first confirm"]
    assert lines[place + 4] == "16.00  not served again  <- longest"


def test_latencies_are_a_line_for_each_window() -> None:
    latencies = {"publish": ((101, ((1500, 99), (80_000, 1))), (112, ((2_000_000, 5),)))}
    lines = [" ".join(line.split()) for line in summary(History((), latencies=latencies), EVENTS).splitlines()]

    assert "latency, ms fault messages p50 p90 p99 max" in lines
    assert "confirm before 100 1.50 1.50 1.50 80.0" in lines
    assert "confirm during 5 2,000 2,000 2,000 2,000" in lines
    assert "latency" not in summary(HISTORY, EVENTS)
