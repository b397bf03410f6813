"""The prober: what a client that starts just now would see, again and again."""

from __future__ import annotations

import contextlib
import threading
import time

import pika

from .connection import Target, open_blocking
from .consumer import LONGEST
from .meter import Meter


class Prober(threading.Thread):
    """A new connection every so often, opened and closed; each try is in the meter with its time.

    Closing is left to a thread of its own: a broker that freezes just then must not keep the next tries from failing.
    """

    def __init__(self, role: str, target: Target, meter: Meter, every: float, timeout: float) -> None:
        super().__init__(name=role, daemon=True)
        self.target, self.meter, self.every, self.timeout = target, meter, every, timeout
        self.stopping = threading.Event()

    def run(self) -> None:
        until = time.monotonic() + LONGEST
        while not self.stopping.is_set() and time.monotonic() < until:
            began = time.monotonic()
            with contextlib.suppress(Exception):
                connection = open_blocking(self.target, self.name, self.meter, handshake=self.timeout)
                threading.Thread(target=_close, args=(connection,), daemon=True).start()
            self.stopping.wait(max(0.05, self.every - (time.monotonic() - began)))

    def cease(self) -> None:
        self.stopping.set()


def _close(connection: pika.BlockingConnection) -> None:
    with contextlib.suppress(Exception):
        connection.close()
