"""SIGTERM ends a session as Ctrl-C does: teardown runs, reports are written. Left alone, pytest dies without.

Only the first one interrupts; a later one must not break the teardown that the first has begun.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any


class CleanStop:
    """Installed in the main thread only; elsewhere, ``install`` and ``restore`` do nothing."""

    def __init__(self) -> None:
        self._before: Any = None
        self._installed = False
        self.seen = 0

    def install(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._stop)
            self._installed = True

    def restore(self) -> None:
        if self._installed and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before if self._before is not None else signal.SIG_DFL)
            self._installed = False

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.seen += 1
        if self.seen == 1:
            raise KeyboardInterrupt("SIGTERM")
        print("rmqha: SIGTERM again: already cleaning up", file=sys.stderr)
