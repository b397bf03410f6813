"""Shows the status of a run while it goes on: one line on a terminal, a plain line every 30 s where there is none.

During a test pytest captures the very file that its terminal reporter writes to. What is shown then goes to a duplicate of
that file, made before capture begins (as pytest's own faulthandler does), and only within a test's phases, when the
reporter writes nothing: neither capture nor the reporter's own lines are touched.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

import pytest

from pytest_rmqha.clock import now
from pytest_rmqha.status import Status

EVERY = 0.5
HEARTBEAT = 30.0
ROOM = "\x1bD\x1b[A"  # scroll by one if need be, and be where we were
DRAW = ROOM + "\x1b7\r\n{}\x1b[K\x1b8"  # below the reporter's line, the cursor back on it
WIPE = "\x1b[J"


class Display:
    """A plugin of one session: ``status`` is shown while a test of it runs. ``fd`` stays the caller's."""

    def __init__(self, status: Status, fd: int, *, terminal: bool, every: float | None = None) -> None:
        self.status = status
        self._fd = fd
        self._terminal = terminal
        self._every = every or (EVERY if terminal else HEARTBEAT)
        self._lock = threading.Lock()
        self._open = 0
        self._drawn = False
        self._fresh = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rmqha-display", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)
        with self._lock:
            self._fd = -1

    def _run(self) -> None:
        due = now() + self._every
        while not self._over.wait(min(self._every, EVERY)):
            if now() >= due and self._show():
                due = now() + self._every

    def _show(self) -> bool:
        """False when this is no moment to show anything."""
        line = self.status.line(self._columns() - 1 if self._terminal else None)
        with self._lock:
            if self._open <= 0 or self._fd < 0:
                return False
            self._write(DRAW.format(self._cut(line)) if self._terminal else self._beat(line))
            self._drawn = self._terminal
        return True

    def _beat(self, line: str) -> str:
        """On a line of its own: the reporter's has begun and not ended, unless the last thing there is ours."""
        begin, self._fresh = "" if self._fresh else "\n", True
        return f"{begin}rmqha {datetime.now(UTC):%H:%M:%S}Z {line}\n"

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._fd).columns or 80
        except OSError:
            return 80

    def _cut(self, line: str) -> str:
        columns = self._columns()
        return line if len(line) < columns else line[: max(columns - 2, 1)] + "…"

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._fd, text.encode(errors="replace"))

    @contextlib.contextmanager
    def showing(self, on: bool = True) -> Iterator[None]:
        """In the block the screen is ours; afterwards nothing of ours is left below the reporter's line."""
        with self._lock:
            self._open += on
            self._fresh = False
        try:
            yield
        finally:
            with self._lock:
                self._open -= on
                self._wipe()

    def _wipe(self) -> None:
        if self._drawn and self._fd >= 0:
            self._write(WIPE)
        self._drawn = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.status.begin(item.nodeid)
        try:
            return (yield)
        finally:
            self.status.end(item.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        with self.showing():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        with self.showing():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        with self.showing():
            return (yield)

    def pytest_enter_pdb(self) -> None:
        """The screen belongs to whoever debugs."""
        with self._lock:
            self._open -= 1000
            self._wipe()

    def pytest_leave_pdb(self) -> None:
        with self._lock:
            self._open += 1000
