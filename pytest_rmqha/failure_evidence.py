"""What a red test carries in the report: its error and the end of every member's log, as they are kept (masked) on disk."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pytest_rmqha.adapters import allure
from pytest_rmqha.logs import KNOWN

LINES, LONGEST = 200, 60_000
ERROR, LOGS = "error.txt", "-log.txt"


class Asked(Protocol):
    """The engine: which members there are."""

    def services(self) -> tuple[str, ...]: ...


class Kept(Protocol):
    """The stack: it writes ``evidence/NAME`` in the run's folder, unless ``--rmq-dump=never`` forbids it."""

    @property
    def engine(self) -> Asked: ...
    def dump(self, name: str, error: str, *, logs_only: bool = False) -> None: ...
    def diagnoses(self, since: float) -> tuple[str, ...]: ...


def is_there(folder: Path, name: str) -> bool:
    """Whether something was kept of a red play, scenario or bring-up of the run in that folder."""
    error = folder / "evidence" / name / ERROR
    return error.is_file() and error.stat().st_size > 0


def attach(folder: Path, name: str) -> None:
    """What ended it and the last 200 lines of every member's log, to the current test; nothing where nothing was kept."""
    if is_there(folder, name):
        place = folder / "evidence" / name
        for file in (place / ERROR, *sorted(place.glob(f"*{LOGS}"))):
            allure.attach_text(end_of(file.read_text(errors="replace"), f"evidence/{name}/{file.name}"), file.name)


def end_of(text: str, whole: str) -> str:
    """At most 200 lines and 60 000 characters from the end; where more was left away it says where the ``whole`` is."""
    shown = "".join(text.splitlines(keepends=True)[-LINES:])[-LONGEST:]
    left_away = text.count("\n") - shown.count("\n")
    return shown if len(shown) == len(text) else f"(the end; {left_away} lines before it are in {whole})\n{shown}"


@contextlib.contextmanager
def attached(folder: Path, name: str) -> Iterator[None]:
    """Around the way out of a lease: what it has kept of a red scenario. Nothing of a green one, whatever lies there."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            attach(folder, name)
        raise


def of_play(stack: Kept, folder: Path, play: str, error: BaseException, since: float) -> str:
    """Of a play that was whole and a test that judged it red: the lease has kept nothing. Once for all tests of the play.

    What the field knows of what the brokers' logs say since then (monotonic seconds), in one line; empty for nothing. It is where
    to look, and excuses nothing.
    """
    with contextlib.suppress(Exception):
        if not is_there(folder, play):
            stack.dump(play, "".join(traceback.format_exception(error)))
        attach(folder, play)
    with contextlib.suppress(Exception):
        if (known := stack.diagnoses(since)) and KNOWN not in str(error):
            return f"{KNOWN}, {'; '.join(known)}"
    return ""


def of_bring_up(stack: Kept, folder: Path, error: BaseException) -> None:
    """Logs and states, of an interrupted bring-up logs alone: whoever interrupts waits. Nothing before there are containers."""
    with contextlib.suppress(Exception):
        if stack.engine.services():
            stack.dump("bring-up", f"{type(error).__name__}: {error}\n", logs_only=not isinstance(error, Exception))
            attach(folder, "bring-up")
