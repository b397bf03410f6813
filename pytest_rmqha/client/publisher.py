"""One publisher: persistent, numbered, mandatory messages with pipelined confirms in a bounded window.

A message whose connection died before its answer is left unanswered: *unknown*. It is never published again by itself.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import pika

from . import message, sabotage
from .connection import Target, back_off, told
from .ledger import StreamLedger
from .meter import Meter
from .wire import event

TICK = 0.02
CONFIRM_TIMEOUT = 8.0
FAREWELL = 2.0  # seconds for the broker to answer a close
LONGEST, GRACE = 900.0, 30.0
MOST = 2_000_000


class Publisher(threading.Thread):
    """``rate`` in messages per second (0: as fast as the window lets it), ``limit`` in messages, ``window`` unanswered ones.

    It connects anew when a confirm is ``patience`` seconds late; after ``longest`` seconds it ends by itself, answered or not.
    """

    def __init__(self, ledger: StreamLedger, target: Target, meter: Meter, options: dict[str, Any]) -> None:
        super().__init__(name=ledger.name, daemon=True)
        self.ledger, self.target, self.meter = ledger, target, meter
        self.queue = str(options.get("queue", ledger.queue))
        self.exchange = str(options.get("exchange", ""))
        self.window = int(options.get("window", 500))
        self.rate = float(options.get("rate") or 0)
        self.limit = min(int(options.get("limit") or MOST), MOST)
        self.persistent = bool(options.get("persistent", True))
        self.mandatory = bool(options.get("mandatory", True))
        self.confirms = bool(options.get("confirms", True))
        self.reconnect = bool(options.get("reconnect", True))
        self.patience = float(options.get("patience") or CONFIRM_TIMEOUT)
        self.size = int(options.get("body", 64))
        self.again: list[int] = list(options.get("again", ()))
        self.stopping = threading.Event()
        self.connected = False
        self._role = ledger.name
        self._header, self._load = message.header_of(ledger.name), ledger.load.encode()
        self._properties = pika.BasicProperties(delivery_mode=2 if self.persistent else 1)
        self._longest = float(options.get("longest") or LONGEST)
        self._deadline = time.monotonic() + self._longest
        self._stopped_at: float | None = None
        self._waiting: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._connection: Any = None
        self._channel: Any = None
        self._tag = 0
        self._sent = self._paced = 0
        self._began = 0.0
        self._blocked = False
        self._was_connected = False
        self._first_confirm_due = False
        self._gave_up = False
        self._refused_since: float | None = None
        """Since when every answer has been a refusal; None after a confirm."""

    @property
    def unanswered(self) -> int:
        return len(self._waiting)

    @property
    def finished(self) -> bool:
        return not self.again and self._sent >= self.limit

    def run(self) -> None:
        self.meter.begin(self.name, "publish")
        tries = 0
        answered = True
        while not self.stopping.is_set() and time.monotonic() < self._deadline:
            came_up = self._one_connection()
            self.connected = False
            answered = not self._waiting
            self._waiting.clear()
            if not self.reconnect and (came_up or self._was_connected):
                break
            tries = 0 if came_up else tries + 1
            if self.finished:
                break
            self.stopping.wait(back_off(tries))
        self.meter.end(self.name, "publish", self._stopped_at if answered else None)

    def cease(self) -> None:
        """No more attempts."""
        self._stopped_at = self._stopped_at or time.monotonic()
        self.stopping.set()

    def settle(self, within: float) -> bool:
        """Wait for the answers that are due, then close. False if some never came; the thread ends soon after."""
        until = time.monotonic() + within
        while self.is_alive() and self.connected and self._waiting and time.monotonic() < until:
            time.sleep(0.02)
        answered = not self._waiting
        self._close()
        return answered

    def _close(self) -> None:
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.ioloop.add_callback_threadsafe(lambda: self._close_inside(connection))

    @staticmethod
    def _close_inside(connection: Any) -> None:
        """Of one that is closing already the loop goes on for 2 s: a loop that ends before leaves its session to the broker."""
        if connection.is_closing:
            connection.ioloop.call_later(FAREWELL, connection.ioloop.stop)
            return
        try:
            connection.close()
        except Exception:  # a connection that is past closing: the loop ends all the same
            connection.ioloop.stop()

    def _one_connection(self) -> bool:
        began = time.monotonic()
        self._channel, self._tag = None, 0
        self._blocked = False  # a new connection is told anew, and the alarm may have gone with the old one
        opened = threading.Event()

        def failed(connection: Any, error: Any) -> None:
            self.meter.connected(self.name, began, False, told(error), self.target.peer)
            connection.ioloop.stop()

        def up(connection: Any) -> None:
            self.meter.connected(self.name, began, True, "", self.target.peer)
            connection.add_on_connection_blocked_callback(lambda *_: self._block(True))
            connection.add_on_connection_unblocked_callback(lambda *_: self._block(False))
            connection.channel(on_open_callback=lambda channel: self._open(channel, opened))

        def down(connection: Any, reason: Any) -> None:
            if opened.is_set() and not self.stopping.is_set():
                event("disconnected", self.name, reason=str(reason)[:120], unanswered=len(self._waiting))
            connection.ioloop.stop()

        try:
            self._connection = pika.SelectConnection(
                self.target.parameters(self.name),
                on_open_callback=up,
                on_open_error_callback=failed,
                on_close_callback=down,
            )
            self._connection.ioloop.start()
        except Exception as error:
            self.meter.connected(self.name, began, False, told(error), self.target.peer)
        with contextlib.suppress(Exception):
            self._connection.ioloop.close()
        return opened.is_set()

    def _open(self, channel: Any, opened: threading.Event) -> None:
        self._channel = channel
        channel.add_on_return_callback(self._returned)
        channel.add_on_close_callback(lambda _channel, _reason: self._close_inside(self._connection))
        if self.confirms:
            channel.confirm_delivery(self._answered, callback=lambda _frame: self._ready(opened))
        else:
            self._ready(opened)

    def _ready(self, opened: threading.Event) -> None:
        opened.set()
        self._gave_up, self._refused_since = False, None
        self.ledger.new_channel()
        event("connected", self.name, again=self._was_connected)
        self.connected = self._was_connected = self._first_confirm_due = True
        self._began, self._paced = time.monotonic(), 0
        self._tick()

    def _tick(self) -> None:
        over = time.monotonic() - self._deadline
        if over >= 0 and not self.stopping.is_set():
            print(f"{self.name}: ended by itself after {self._longest:.0f} s", file=sys.stderr, flush=True)
            self._stopped_at = time.monotonic()
            self.stopping.set()
        self._pump()
        if self._is_kept_waiting():
            self._give_up()
        if self._connection is not None and self._connection.is_open:
            if over >= GRACE or (not self._waiting and (self.stopping.is_set() or self.finished)):
                self._connection.close()
            else:
                self._connection.ioloop.call_later(TICK, self._tick)

    def _is_kept_waiting(self) -> bool:
        """A careful client does not wait for ever for a confirm: the oldest one is too late, or all were refused for so long."""
        if self._blocked or self._gave_up or not self.reconnect:
            return False
        since = [sent for _, sent in list(self._waiting.values())[:1]]
        since += [self._refused_since] if self._refused_since is not None else []
        return bool(since) and time.monotonic() - min(since) > self.patience

    def _give_up(self) -> None:
        """Connect anew; what is unanswered stays unknown. A broker that does not even close is left after 2 s."""
        self._gave_up = True
        event("confirm_timeout", self.name, unanswered=len(self._waiting))
        connection = self._connection
        connection.ioloop.call_later(FAREWELL, connection.ioloop.stop)
        self._close_inside(connection)

    def _block(self, on: bool) -> None:
        self._blocked = on
        event("blocked" if on else "unblocked", self.name)

    def _may_send(self) -> int:
        if self.stopping.is_set() or self._blocked or sabotage.planted("never-publish"):
            return 0
        room = self.window - len(self._waiting)
        if self.rate:
            room = min(room, int((time.monotonic() - self._began) * self.rate) - self._paced)
        return max(0, min(room, 1000))

    def _pump(self) -> None:
        if self._channel is None or not self._channel.is_open:
            return
        for _ in range(self._may_send()):
            if self.again:
                number = self.again.pop(0)
                self.ledger.republish(number)
            elif self._sent < self.limit:
                number = self.ledger.attempt()
                self._sent += 1
            else:
                return
            self._paced += 1
            self._send(number)

    def _send(self, number: int) -> None:
        self._tag += 1
        now = time.monotonic()
        if self.confirms:
            self._waiting[self._tag] = (number, now)
        self._channel.basic_publish(
            self.exchange,
            self.queue,
            message.body(self._header, number, now, self.size, self._load),
            self._properties,
            mandatory=self.mandatory,
        )

    def _answered(self, frame: Any) -> None:
        """An ack of what came back as unroutable is an answer, and serves nobody: neither meter nor event takes it for a confirm."""
        method = frame.method
        good = isinstance(method, pika.spec.Basic.Ack)
        tags = self._up_to(method.delivery_tag) if method.multiple else (method.delivery_tag,)
        now = time.monotonic()
        waits = []
        for tag in tags:
            number, sent = self._waiting.pop(tag, (-1, 0.0))
            if number < 0:
                continue
            if not good:
                self.ledger.nack(number)
                self._refused_since = now if self._refused_since is None else self._refused_since
            elif self.ledger.confirm(number):
                waits.append(now - sent)
        if waits:
            self._refused_since = None
            self.meter.moved(self._role, "publish", len(waits), waits)
            sabotage.after_confirms(self.ledger.counts["confirmed"])
            if self._first_confirm_due:
                self._first_confirm_due = False
                event("first_confirm", self.name)
        if not self.rate:
            self._pump()

    def _up_to(self, last: int) -> Sequence[int]:
        """The tags that wait, in the order in which they were sent."""
        return tuple(itertools.takewhile(lambda tag: tag <= last, self._waiting))

    def _returned(self, _channel: Any, _method: Any, _properties: Any, body: bytes) -> None:
        self.ledger.give_back(message.parsed(body).number)
