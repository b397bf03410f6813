"""A play runs once a session, and every id that asks gets what it saw, or its error."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.errors import InvariantNotUpheld, StackNotUp
from pytest_rmqha.faults import Fault
from pytest_rmqha.lease import Stage
from pytest_rmqha.observation import Observations, Observed, present
from pytest_rmqha.session_report import Measured
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import Gap, History, Stream
from tests.unit.fakes import FakeStack, World


class Leases:
    """Opens bare stages and counts them. ``refuses`` is raised before the play, ``ends`` after it."""

    def __init__(self) -> None:
        self.opened = 0
        self.stack = FakeStack(World())
        self.refuses: Exception | None = None
        self.ends: Exception | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Stage]:
        self.opened += 1
        if self.refuses is not None:
            raise self.refuses
        timeline = self.stack.timeline
        begin = timeline.add("scenario.begin", "p").at
        yield Stage("p", self.stack, self.stack.cluster, Chaos(timeline), begin)
        if self.ends is not None:
            raise self.ends


@pytest.fixture
def leases() -> Leases:
    return Leases()


def test_a_play_runs_once_however_often_it_is_asked_for(leases: Leases) -> None:
    ran: list[str] = []

    def play(stage: Stage) -> list[str]:
        ran.append(stage.name)
        return ran

    observations = Observations()
    first, second = (observations.of(play, leases.open) for _ in range(2))

    assert first is second
    assert first.outcome() is ran
    assert (ran, leases.opened) == (["p"], 1)


def test_each_play_has_its_own_observation(leases: Leases) -> None:
    observations = Observations()

    def one(_stage: Stage) -> int:
        return 1

    def two(_stage: Stage) -> int:
        return 2

    assert [observations.of(play, leases.open).outcome() for play in (one, two, one)] == [1, 2, 1]
    assert leases.opened == 2


def test_a_new_session_plays_again(leases: Leases) -> None:
    def play(_stage: Stage) -> None: ...

    Observations().of(play, leases.open)
    Observations().of(play, leases.open)

    assert leases.opened == 2


@pytest.mark.parametrize("error", [InvariantNotUpheld("two leaders"), AssertionError("1 != 2"), KeyError("q")])
def test_a_plays_error_is_raised_for_each_that_asks(leases: Leases, error: Exception) -> None:
    def play(_stage: Stage) -> None:
        raise error

    observations = Observations()
    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            observations.of(play, leases.open).outcome()
        assert caught.value is error
    assert leases.opened == 1


def test_a_stack_that_is_not_up_is_asked_for_once(leases: Leases) -> None:
    leases.refuses = StackNotUp("no steady state before p")

    def play(_stage: Stage) -> None:
        pytest.fail("the play must not run")

    observations = Observations()
    for _ in range(2):
        seen = observations.of(play, leases.open)
        with pytest.raises(StackNotUp):
            seen.outcome()
    assert leases.opened == 1
    assert (seen.name, seen.history, seen.events, seen.landed) == ("play", None, (), ())


def test_a_way_out_that_fails_is_everybodys_error(leases: Leases) -> None:
    leases.ends = InvariantNotUpheld("not whole again")

    def play(_stage: Stage) -> str:
        return "all well"

    seen = Observations().of(play, leases.open)
    assert seen.result is None
    with pytest.raises(InvariantNotUpheld, match="not whole again"):
        seen.outcome()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_not_an_observation(leases: Leases, error: type[BaseException]) -> None:
    def play(_stage: Stage) -> None:
        raise error

    observations = Observations()
    for _ in range(2):
        with pytest.raises(error):
            observations.of(play, leases.open)
    assert leases.opened == 2


def test_what_happened_is_kept_with_what_stood_before(leases: Leases) -> None:
    leases.stack.timeline.add("vip", "lb1", "before")

    def play(stage: Stage) -> None:
        with stage.chaos.inject(Fault("cut", bool, bool, lambda: True, lambda: True)):
            pass
        raise InvariantNotUpheld("lost")

    seen = Observations().of(play, leases.open)
    assert seen.landed == ("cut",)
    assert [event.kind for event in seen.events][:2] == ["vip", "scenario.begin"]
    assert "fault.gone" in [event.kind for event in seen.events]
    assert seen.began == leases.stack.timeline.events[1].at


# what is told of it


def observed(history: History | None) -> Observed:
    return Observed("p", None, None, history, (), ("a", "b"), 100.0)


def a_history() -> History:
    stream = Stream("p.q", "q", 3, confirmed=Bitmap.of(0, 1), delivered=Bitmap.of(0))
    return History((stream,), window=(100.0, 110.0))


def test_the_numbers_are_properties() -> None:
    assert observed(a_history()).properties() == [
        ("rmq.play", "p"),
        ("rmq.faults", "a; b"),
        ("rmq.attempted", "3"),
        ("rmq.confirmed", "2"),
    ]
    assert observed(None).properties() == [("rmq.play", "p"), ("rmq.faults", "a; b")]


def test_phases_and_percentiles_are_properties_and_metrics() -> None:
    stalled = dataclasses.replace(
        a_history(), gaps=(Gap("p.q", "publish", 102.0, 105.0),), latencies={"publish": ((101, ((2000, 4),)),)}
    )
    events = (Event(100.0, "scenario.begin", "p"), Event(102.0, "fault.injected", "a"), Event(106.0, "fault.gone", "a"))
    seen = dataclasses.replace(observed(stalled), events=events)

    found = dict(seen.properties())
    assert found["rmq.outage.1.phase.first_confirm"] == "3.000"
    assert found["rmq.latency.confirm.before.p99_ms"] == "2.000"
    rows = seen.performance()
    assert {row["key"] for row in rows} >= {"phase.first_confirm", "latency.confirm.before.p99", "outage.publish"}
    assert rows[0]["stop"] - rows[0]["start"] == pytest.approx(6000, abs=1)
    assert observed(None).performance() == []


def test_without_a_history_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert present(observed(None), tmp_path) == Measured()
    assert list(tmp_path.iterdir()) == []


def test_the_outage_is_the_longest_stretch_in_which_a_client_of_either_kind_stood_still(tmp_path: Path) -> None:
    waits = dataclasses.replace(
        a_history(), gaps=(Gap("p.q", "publish", 101.0, 101.3), Gap("c.q", "deliver", 102.0, 108.0))
    )

    assert present(observed(waits), tmp_path).outage == pytest.approx(6.0)


def test_plot_and_ledger_are_written_once_and_attached_to_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[str] = []
    monkeypatch.setattr("pytest_rmqha.observation.allure.attach_file", lambda path, name: attached.append(name))
    seen = observed(a_history())

    first = present(seen, tmp_path)
    plot = tmp_path / "scenarios" / "p.svg"
    plot.write_text("kept")
    second = present(seen, tmp_path)

    assert first == second
    assert first.lost == 1
    assert plot.read_text() == "kept"
    assert (tmp_path / "scenarios" / "p.txt").read_text()
    assert attached == ["timeline.svg", "ledger.txt"] * 2
