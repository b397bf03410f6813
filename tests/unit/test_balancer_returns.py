"""G8's look at a balancer's return: how long it has to be by keepalived's files, and what it counts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha.config.folder import layered
from pytest_rmqha.timeline import Timeline
from tests.gate.mutant import REFERENCE
from tests.gate.mutants import BY_ID
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Hands

VIP = "192.0.2.100"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return lambda name: importlib.import_module(f"plays.{name}")


@pytest.mark.parametrize(
    ("lines", "due"),
    [
        ([], 12),
        (["advert_int 1", "interval 1", "rise 2"], 12),
        (["preempt_delay 10"], 22),
        (["    preempt_delay 4.5 # later"], 16.5),
        (["# preempt_delay 10", "  ! preempt_delay 20", "weight 2 # preempt_delay 30"], 12),
        (["preempt_delay 10", "preempt_delay 30"], 42),
        (["vrrp_startup_delay 20", "preempt_delay 10"], 42),
        (["advert_int 2.9"], 17.6),
        (["advert_int 0.1"], 12),
        (["vrrp_script s { interval 5", "rise 3 }"], 24),
        (["garp_master_refresh 60", "no_preempt_delay 50", "preempt_delays 50"], 12),
    ],
)
def test_a_return_is_due_within_the_delays_that_the_files_state(play: Any, lines: list[str], due: float) -> None:
    assert play("returning").due_within(lines) == pytest.approx(due)


def stage_of(play: Any, folder: Path, timeline: Timeline) -> Any:
    files = {name: list(layered([folder], name, "balancer").values()) for name in ("lb1", "lb2")}
    balancers = [SimpleNamespace(service=name) for name in files]
    return SimpleNamespace(
        stack=SimpleNamespace(config_files=files),
        balancers=balancers,
        vip=SimpleNamespace(address=VIP),
        timeline=timeline,
        events=timeline.events,
        started=0.0,
    )


@pytest.mark.parametrize(("change", "due"), [(None, 12), ("K08b", 22), ("K06", 47), ("K27", 12)])
def test_the_files_of_every_balancer_count(play: Any, change: str | None, due: float, tmp_path: Path) -> None:
    folder = BY_ID[change].write(tmp_path / "config") if change else REFERENCE

    assert play("promises_balancers")._due_within(stage_of(play, folder, Timeline())) == due


@pytest.fixture
def timeline() -> Timeline:
    """Both answer; lb2 held the VIP, lb1 took it back, was killed at 100 and came back at 110."""
    made = Timeline()
    for at, member, held in ((1, "lb1", False), (1, "lb2", True), (50, "lb2", False), (50, "lb1", True)):
        made.add("vip", VIP, at=at, member=member, held=held)
    made.add("fault.injected", "lb1 killed (whole host)", at=100.0, targets=("lb1",))
    made.add("vip", VIP, at=100.5, member="lb1", held=False)
    made.add("vip", VIP, at=103.5, member="lb2", held=True)
    made.add("fault.gone", "lb1 killed (whole host)", at=110.0, targets=("lb1",))
    return made


@pytest.fixture
def hands(play: Any, monkeypatch: pytest.MonkeyPatch) -> Hands:
    """The play's clock, at the moment of the return."""
    found, module = Hands(), play("promises_balancers")
    found.at = 110.0
    found.hold(monkeypatch, "waiting")
    monkeypatch.setattr(module, "await_match", importlib.import_module("pytest_rmqha.waiting").await_match)
    monkeypatch.setattr(module, "clock", SimpleNamespace(now=found.now))
    return found


Counted = Callable[..., tuple[int, str]]


@pytest.fixture
def counted(play: Any, hands: Hands, timeline: Timeline) -> Counted:
    def count(watched: float = 22.0, taken_after: float | None = 3.5) -> tuple[int, str]:
        turn = SimpleNamespace(struck="lb1", heir="lb2", taken_after=taken_after)
        stage = stage_of(play, REFERENCE, timeline)
        stage.timeline = SimpleNamespace(events=timeline.events, waiting=Timeline().waiting)
        found: tuple[int, str] = play("promises_balancers")._interrupted_by_return(stage, turn, watched)
        return found

    return count


def test_a_return_that_waits_its_turn_interrupts_nobody(counted: Counted, hands: Hands) -> None:
    assert counted() == (0, "")
    assert hands.at == pytest.approx(132.0)


def test_a_preemption_at_the_end_of_the_look_counts(counted: Counted, timeline: Timeline) -> None:
    timeline.add("vip", VIP, at=123.0, member="lb2", held=False)
    timeline.add("vip", VIP, at=123.2, member="lb1", held=True)

    assert counted() == (1, "")
    assert counted(watched=12.0) == (1, "")


def test_a_return_that_nobody_saw_is_not_counted_as_quiet(counted: Counted, timeline: Timeline) -> None:
    timeline.add("vip", VIP, "unanswered", at=112.0, member="lb2", held=True)

    count, unseen = counted()

    assert count == 0
    assert unseen.startswith(f"who held {VIP} after the return was not seen: ['lb1 for 0.5 s")


def test_a_return_that_is_due_too_late_is_not_watched(counted: Counted, hands: Hands) -> None:
    count, unseen = counted(watched=312.0)

    assert (count, unseen) == (0, "by keepalived's files a return may take 312 s to be felt: at most 90 s are watched")
    assert hands.at == 110.0


def test_without_a_take_over_there_is_no_return_to_judge(counted: Counted) -> None:
    assert counted(taken_after=None)[1].startswith("the VIP was not taken over")


@pytest.mark.parametrize(
    ("targets", "within", "begins"),
    [(("lb1",), 12.0, 122.0), (("rmq1",), 12.0, 111.0), (("rmq1",), 200.0, 111.0), (("rmq1",), 55.0, 115.0)],
)
def test_a_balancer_that_came_back_just_now_settles_first(
    play: Any, hands: Hands, targets: tuple[str, ...], within: float, begins: float
) -> None:
    events = Timeline()
    events.add("wait.begin", "bring-up: create containers", at=60.0)
    events.add("fault.gone", "an earlier one", at=110.0, targets=targets)
    hands.at = 111.0
    stage = stage_of(play, REFERENCE, events)

    play("promises_balancers")._await_what_is_due(stage, within)

    assert hands.at == pytest.approx(begins)
