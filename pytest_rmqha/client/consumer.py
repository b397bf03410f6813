"""Consumers with manual acks; they reconnect and subscribe again by themselves, and say when."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pika

from . import message, sabotage
from .connection import Target, back_off, open_blocking, told
from .ledger import Ledger
from .meter import Meter
from .wire import event

LONGEST = 900.0
LOOK = 0.1


class Consumer(threading.Thread):
    """``hold``: keep what arrives unacknowledged until ``release``. A delivery is in the ledger before its ack is sent, and acks
    are sent for all that a look at the connection brought.
    """

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
        self.held = 0
        self._deadline = time.monotonic() + float(options.get("longest") or LONGEST)
        self._first_due = False
        self._again = False
        self._resubscribe = False
        self._sessions = 0
        self._release_due = self._is_over = False
        self._last_held = self._to_ack = 0
        self._role = role

    def run(self) -> None:
        if not self.hold:  # who keeps what it gets is sent nothing more: that is no gap
            self.meter.begin(self.name, "deliver")
        tries = 0
        while self._is_wanted():
            try:
                connection = open_blocking(self.target, self.name, self.meter)
            except Exception:  # the meter has it as a failed connect; a client tries again, whatever refused it
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

    def _is_wanted(self) -> bool:
        return not self.stopping.is_set() and time.monotonic() < self._deadline

    def cease(self) -> None:
        """No more deliveries; what it holds goes back to the queue."""
        self.stopping.set()

    def end(self) -> None:
        """The load is over."""
        self._is_over = True
        self.cease()

    def release(self) -> int:
        """Acknowledge all that is held, and from now on what arrives. How many were held on the connection there is now.

        Its own thread does so. Until its session has proved to live the broker owes what it holds: of one that hangs it gets
        them back.
        """
        with self.lock:
            self.ledger.owe(self._session)
        self._release_due = True
        return self.held

    @property
    def _session(self) -> str:
        return f"{self.name}#{self._sessions}"

    def _acknowledge_held(self, channel: Any) -> None:
        """First a question that is answered: what goes into a dead connection is not acknowledged.

        Up to the last one that is held: what came since is not in the ledger yet.
        """
        self._release_due = self.hold = False
        if self.held:
            channel.basic_qos(prefetch_count=self.prefetch)
            with self.lock:
                self.ledger.acknowledged(self._session)
            channel.basic_ack(self._last_held, multiple=True)
            self.held = 0

    def _serve(self, connection: pika.BlockingConnection) -> None:
        try:
            while self._is_wanted():
                channel = connection.channel()
                self._sessions += 1
                self.held = self._to_ack = 0
                self.hold = self.hold and not self._release_due
                self._release_due = False
                channel.basic_qos(prefetch_count=self.prefetch)
                channel.add_on_cancel_callback(self._cancelled)
                channel.basic_consume(self.queue, self._arrive, auto_ack=not self.ack, exclusive=self.exclusive)
                self._resubscribe = False
                self.connected = True
                event("connected", self.name, again=self._again)
                self._again = self._first_due = True
                while self._is_wanted() and not self._resubscribe:
                    connection.process_data_events(time_limit=LOOK)
                    self._acknowledge_arrived(channel)
                    if self._release_due:
                        self._acknowledge_held(channel)
                self._end_session()
                with contextlib.suppress(Exception):
                    channel.close()
        except Exception as error:
            self._end_session()
            if not self.stopping.is_set():
                event("disconnected", self.name, reason=told(error))

    def _end_session(self) -> None:
        """The broker owes what was kept; not at the end of the load, when nobody is there any more to take it."""
        if not self._is_over:
            with self.lock:
                self.ledger.died(self._session)

    def _cancelled(self, _frame: Any) -> None:
        """The broker ended the subscription (its queue moved or went): subscribe again."""
        event("cancelled", self.name)
        self._resubscribe = True

    def _arrive(self, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        if sabotage.planted("stall-consumer") and self.arrived > 50:
            return
        self.arrived += 1
        self.last_arrival = time.monotonic()
        hold = self.hold
        with self.lock:
            told = sabotage.arrivals(body, method.redelivered) if sabotage.ON else ((body, method.redelivered),)
            waits = [wait for text, again in told if (wait := self._write(text, again, hold)) is not None]
        if hold:
            self.meter.took("deliver", waits)
        else:
            self.meter.moved(self._role, "deliver", 1, waits)
        if self._first_due:
            self._first_due = False
            event("first_delivery", self.name)
        if hold:
            self.held, self._last_held = self.held + 1, method.delivery_tag
        elif self.ack:
            self._to_ack = method.delivery_tag

    def _acknowledge_arrived(self, channel: Any) -> None:
        """All that came in one go at once: an answer for each would be a packet for each."""
        if self._to_ack:
            channel.basic_ack(self._to_ack, multiple=True)
            self._to_ack = 0

    def _write(self, body: bytes, redelivered: bool, hold: bool) -> float | None:
        """Seconds since it was sent (the clock is the host's, in every container); None unless it is the first of its kind.

        A late copy of what another has got is held, and not owed.
        """
        stream, number, load, sent = message.parsed(body)
        first = self.ledger.arrive(stream, number, redelivered, body, self._role, load)
        if hold and load == self.ledger.load and (first or redelivered):
            self.ledger.hold(stream, number, self._session)
        return self.last_arrival - sent / 1e6 if first else None
