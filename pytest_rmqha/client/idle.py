"""The idle client: a connection without traffic, which notices what only heartbeats and resets tell."""

from __future__ import annotations

import threading
import time

from .connection import Target, back_off, open_blocking, told
from .consumer import LONGEST
from .meter import Meter
from .wire import event


class Idle(threading.Thread):
    """A connection that only answers heartbeats; says when it is cut."""

    def __init__(self, role: str, target: Target, meter: Meter) -> None:
        super().__init__(name=role, daemon=True)
        self.target, self.meter = target, meter
        self.stopping = threading.Event()
        self.connected = False

    def run(self) -> None:
        tries, again, until = 0, False, time.monotonic() + LONGEST
        while not self.stopping.is_set() and time.monotonic() < until:
            try:
                connection = open_blocking(self.target, self.name, self.meter)
                tries, self.connected = 0, True
                event("connected", self.name, again=again)
                again = True
                while not self.stopping.is_set() and time.monotonic() < until:
                    connection.process_data_events(time_limit=0.3)
                connection.close()
            except Exception as error:
                if self.connected:
                    event("disconnected", self.name, reason=told(error))
                tries += 1
            self.connected = False
            self.stopping.wait(back_off(tries))

    def cease(self) -> None:
        self.stopping.set()
