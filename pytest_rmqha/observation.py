"""One fault, several scenario ids: what a play on the stage saw, kept so that each id can assert on it by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_rmqha import clock
from pytest_rmqha.adapters import allure
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.lease import Stage
from pytest_rmqha.report import measurements
from pytest_rmqha.report.figures import figures
from pytest_rmqha.report.phases import told
from pytest_rmqha.report.plot import plot
from pytest_rmqha.report.summary import summary
from pytest_rmqha.session_report import Measured
from pytest_rmqha.timeline import Event
from pytest_rmqha.workload.history import History


@dataclass
class Observed:
    """What a play returned or raised, its history and the timeline so far (states of before are where its lanes begin)."""

    name: str
    result: Any
    error: BaseException | None
    history: History | None
    events: tuple[Event, ...]
    landed: tuple[str, ...]
    began: float
    files: dict[str, Path] = field(default_factory=dict)
    shown: bool = False

    @staticmethod
    def of(stage: Stage, result: Any, error: BaseException | None) -> Observed:
        landed = tuple(f.title for f in stage.chaos.landed)
        with contextlib.suppress(HarnessError):  # a broker that can't be asked has no lane of its own
            stage.stack.note_changes(stage.started, stage.cluster.vhost)
        so_far = tuple(stage.timeline.between(0, clock.now()))
        return Observed(stage.name, result, error, stage.history, so_far, landed, stage.started)

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result

    def properties(self) -> list[tuple[str, str]]:
        """For JUnit: the faults that landed, how much was sent, each outage by phases, and latencies."""
        rows = [("rmq.play", self.name), ("rmq.faults", "; ".join(self.landed))]
        if self.history is not None:
            streams = self.history.streams
            rows += [
                ("rmq.attempted", str(sum(s.attempted for s in streams))),
                ("rmq.confirmed", str(sum(s.confirmed.count() for s in streams))),
                *measurements.properties(self.history, self.events),
            ]
        return rows

    def performance(self) -> list[dict[str, Any]]:
        """Rows for Allure's ``performance.json``; none without a load."""
        if self.history is None:
            return []
        last = max((event.at for event in self.events), default=self.began)
        start, stop = (int(clock.utc(at).timestamp() * 1e3) for at in (self.began, max(last, self.began)))
        return measurements.measurements(self.name, self.history, self.events, start, stop)


class Observations:
    """Each play runs once a session and variant."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Callable[[Stage], Any], str | None], Observed] = {}

    def of(
        self,
        play: Callable[[Stage], Any],
        open_lease: Callable[[], AbstractContextManager[Stage]],
        variant: str | None = None,
    ) -> Observed:
        if (play, variant) not in self._seen:
            self._seen[play, variant] = self._run(play, open_lease)
        return self._seen[play, variant]

    @staticmethod
    def _run(play: Callable[[Stage], Any], open_lease: Callable[[], AbstractContextManager[Stage]]) -> Observed:
        stage: Stage | None = None
        result: Any = None
        try:
            with open_lease() as stage:
                result = play(stage)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # pytest.fail and pytest.skip are none of Exception's
            if stage is None:
                return Observed(play.__name__, None, error, None, (), (), clock.now())
            return Observed.of(stage, None, error)
        return Observed.of(stage, result, None)


def present(seen: Observed, folder: Path) -> Measured:
    """Write the plot and the ledger's summary of a play (once), attach both to the current test, and return its numbers."""
    if seen.shown:
        allure.replay(seen.landed, seen.name)
    seen.shown = True
    if seen.history is None:
        return Measured()
    if not seen.files:
        place = folder / "scenarios"
        place.mkdir(parents=True, exist_ok=True)
        seen.files["timeline.svg"] = place / f"{seen.name}.svg"
        seen.files["timeline.svg"].write_text(
            plot(seen.history, seen.events, title=seen.name, anchor=clock.utc(seen.began))
        )
        seen.files["ledger.txt"] = place / f"{seen.name}.txt"
        seen.files["ledger.txt"].write_text(summary(seen.history, seen.events))
    for name, path in seen.files.items():
        allure.attach_file(path, name)
    numbers = figures(seen.history, seen.events)
    # A play that was broken off has consumed nothing of what it parked: what did not arrive is not lost.
    lost = numbers.lost if seen.error is None else 0
    why = told(numbers.outages)
    stood_still = [seconds for seconds in (numbers.longest_outage, numbers.longest_delivery_gap) if seconds is not None]
    return Measured(max(stood_still, default=None), lost, numbers.duplicated, numbers.unknown, why, seen.name)
