"""Ctrl-C and SIGTERM end a session alike: teardown runs, reports are written. Left alone, pytest dies of SIGTERM without.

While a stack stands they are *deferred* to the next safe point (a poll of ``await_match``), for at most ``GRACE`` seconds: a
KeyboardInterrupt that strikes in the moment in which a lock is taken leaves the lock taken for ever. Seen once in four
interrupts: the lock was that of the HTTP connections to the engine, and the teardown waited for it until it was killed.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from pytest_rmqha import waiting

GRACE = 3.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class CleanStop:
    """Installed in the main thread only; elsewhere, ``install`` and ``restore`` do nothing.

    The first signal interrupts, and so does a deadline (``end_after``). A later SIGTERM must not break the teardown that the
    first has begun; a second Ctrl-C does.
    """

    def __init__(self, grace: float = GRACE) -> None:
        self.seen = 0
        self.defers = False
        self._grace = grace
        self._before: dict[int, Any] = {}
        self._pending: str | None = None
        self._is_forced = False
        self._deadline: threading.Timer | None = None
        self.ended_by = ""

    def install(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if (
                signal.getsignal(number) is not signal.SIG_IGN
            ):  # as a shell leaves SIGINT to what runs in the background
                self._before[number] = signal.signal(number, self._stop)
        waiting.at_safe_points(self.check)

    def restore(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self.forget_deadline()
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)
        self._before.clear()
        waiting.at_safe_points(None)

    def end_after(self, minutes: float) -> None:
        """The session is interrupted then as by a signal, once; ``ended_by`` says so in a sentence. Call it after ``install``."""
        if signal.SIGTERM in self._before:
            self._deadline = threading.Timer(minutes * 60, self._deadline_has_passed, (minutes,))
            self._deadline.daemon = True
            self._deadline.start()

    def forget_deadline(self) -> None:
        """What there was to do is done: what is left is taking down."""
        if self._deadline is not None:
            self._deadline.cancel()

    def _deadline_has_passed(self, minutes: float) -> None:
        if self.seen == 0:
            self.ended_by = f"the deadline of {minutes:g} minutes (--rmq-deadline) has passed"
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def check(self) -> None:
        """A safe point: nothing is half done here. Raises what was deferred; in another thread it does nothing."""
        if self._pending is not None and threading.current_thread() is threading.main_thread():
            self._raise()

    def _raise(self) -> None:
        name, self._pending, self._is_forced = self._pending, None, False
        raise KeyboardInterrupt(name)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        name = self.ended_by or signal.Signals(number).name
        if self._is_forced and self._pending is not None:
            self._raise()
        self.seen += 1
        if self.seen == 1 and self.defers:
            self._pending = name
            timer = threading.Timer(self._grace, self._force)
            timer.daemon = True
            timer.start()
        elif self.seen == 1 or number == signal.SIGINT:
            self._pending = None
            raise KeyboardInterrupt(name)
        else:
            print(f"rmqha: {name} again: already cleaning up", file=sys.stderr)

    def _force(self) -> None:
        """No safe point came: whatever the main thread waits in has to end now."""
        if self._pending is not None:
            self._is_forced = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


CLEAN_STOP: pytest.StashKey[CleanStop] = pytest.StashKey()
