"""SIGINT and SIGTERM of this process while somebody else does the work: noted for them instead of obeyed."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

BOTH = (signal.SIGINT, signal.SIGTERM)


class NotedSignals:
    """A context; ``seen`` in the order in which they came. Outside of the main thread signals do what they always do."""

    def __init__(self) -> None:
        self.seen: list[signal.Signals] = []
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in BOTH}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before = {}

    def obey(self) -> None:
        """KeyboardInterrupt, with the signal's name, if one has come: there is nobody yet to hand it to."""
        if self.seen:
            raise KeyboardInterrupt(self.seen[0].name)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.seen.append(signal.Signals(number))
