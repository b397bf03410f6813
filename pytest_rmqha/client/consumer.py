"""Consumers with manual acks, and the idle client: both reconnect by themselves and say when."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pika

from . import sabotage
from .connection import Target, back_off, open_blocking
from .ledger import Ledger
from .meter import Meter
from .wire import event

LONGEST = 900.0
LOOK = 0.1


class Consumer(threading.Thread):
    """``hold``: keep what arrives unacknowledged. A delivery is in the ledger before its ack is sent."""

    def __init__(
        self, role: str, ledger: Ledger, lock: threading.Lock, target: Target, meter: Meter, options: dict[str, Any]
    ) -> None:
        super().__init__(name=role, daemon=True)
        self.ledger, self.lock, self.target, self.meter = ledger, lock, target, meter
        self.queue = str(options["queue"])
        self.prefetch = int(options.get("prefetch", 200))
        self.ack = bool(options.get("ack", True))
        self.hold = bool(options.get("hold", False))
        self.exclusive = bool(options.get("exclusive", False))
        self.reconnect = bool(options.get("reconnect", True))
        self.stopping = threading.Event()
        self.connected = False
        self.last_arrival = time.monotonic()
        self.arrived = 0
        self._deadline = time.monotonic() + LONGEST
        self._first_due = False
        self._again = False
        self._resubscribe = False

    def run(self) -> None:
        self.meter.begin(self.name, "deliver")
        tries = 0
        while not self.stopping.is_set() and time.monotonic() < self._deadline:
            try:
                connection = open_blocking(self.target, self.name, self.meter)
            except Exception:
                tries += 1
                self.stopping.wait(back_off(tries))
                continue
            tries = 0
            self._serve(connection)
            self.connected = False
            with contextlib.suppress(Exception):
                connection.close()
            if not self.reconnect:
                break
            self.stopping.wait(0.2)
        self.meter.end(self.name, "deliver")

    def stop(self) -> None:
        self.stopping.set()
        self.join(timeout=10)

    def _serve(self, connection: pika.BlockingConnection) -> None:
        try:
            while not self.stopping.is_set():
                channel = connection.channel()
                channel.basic_qos(prefetch_count=self.prefetch)
                channel.add_on_cancel_callback(self._cancelled)
                channel.basic_consume(self.queue, self._arrive, auto_ack=not self.ack, exclusive=self.exclusive)
                self._resubscribe = False
                self.connected = True
                event("connected", self.name, again=self._again)
                self._again = self._first_due = True
                while not self.stopping.is_set() and not self._resubscribe:
                    connection.process_data_events(time_limit=LOOK)
                with contextlib.suppress(Exception):
                    channel.close()
        except Exception as error:
            if not self.stopping.is_set():
                event("disconnected", self.name, reason=f"{type(error).__name__} {error}"[:120])

    def _cancelled(self, _frame: Any) -> None:
        """The broker ended the subscription (its queue moved or went): subscribe again."""
        event("cancelled", self.name)
        self._resubscribe = True

    def _arrive(self, channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        if sabotage.planted("stall-consumer") and self.arrived > 50:
            return
        self.arrived += 1
        self.last_arrival = time.monotonic()
        with self.lock:
            for text, redelivered in sabotage.arrivals(body, method.redelivered):
                self._write(text, redelivered)
        self.meter.moved(self.name, "deliver")
        if self._first_due:
            self._first_due = False
            event("first_delivery", self.name)
        if self.ack and not self.hold:
            channel.basic_ack(method.delivery_tag)

    def _write(self, body: bytes, redelivered: bool) -> None:
        parts = body.split(b":", 3)
        try:
            stream, number = parts[0].decode(), int(parts[1])
        except (IndexError, ValueError):
            stream, number = "", -1
        self.ledger.arrive(stream, number, redelivered, body[:60].decode(errors="replace"))


class Idle(threading.Thread):
    """A connection that only answers heartbeats; says when it is cut."""

    def __init__(self, role: str, target: Target, meter: Meter) -> None:
        super().__init__(name=role, daemon=True)
        self.target, self.meter = target, meter
        self.stopping = threading.Event()
        self.connected = False

    def run(self) -> None:
        tries, until = 0, time.monotonic() + LONGEST
        while not self.stopping.is_set() and time.monotonic() < until:
            try:
                connection = open_blocking(self.target, self.name, self.meter)
                tries, self.connected = 0, True
                event("connected", self.name)
                while not self.stopping.is_set():
                    connection.process_data_events(time_limit=0.3)
                connection.close()
            except Exception as error:
                if self.connected:
                    event("disconnected", self.name, reason=f"{type(error).__name__} {error}"[:120])
                tries += 1
            self.connected = False
            self.stopping.wait(back_off(tries))

    def stop(self) -> None:
        self.stopping.set()
        self.join(timeout=10)


class Prober(threading.Thread):
    """A new connection every so often, opened to a channel and closed: what a client that starts now would see."""

    def __init__(self, role: str, target: Target, meter: Meter, every: float, timeout: float) -> None:
        super().__init__(name=role, daemon=True)
        self.target, self.meter, self.every, self.timeout = target, meter, every, timeout
        self.stopping = threading.Event()

    def run(self) -> None:
        until = time.monotonic() + LONGEST
        while not self.stopping.is_set() and time.monotonic() < until:
            began = time.monotonic()
            with contextlib.suppress(Exception):
                open_blocking(self.target, self.name, self.meter, handshake=self.timeout).close()
            self.stopping.wait(max(0.05, self.every - (time.monotonic() - began)))

    def stop(self) -> None:
        self.stopping.set()
        self.join(timeout=10)
