"""A plain pika script, run inside the load client's container: a publisher with a window, and a consumer that acks.

Nothing but pika: it keeps no ledger, and knows of a message only that it is not confirmed yet. Its one argument is a file
of JSON: host, user, password, vhost, queue, window, seconds, consume. It prints ``[[time, confirmed, delivered], ...]``,
sampled every 0.2 s of the publisher's loop.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pika

SAMPLE, BODY = 0.2, b"x" * 64
PERSISTENT = pika.BasicProperties(delivery_mode=2)


class Consumer:
    """Counts and acks until its connection closes."""

    def __init__(self, parameters: pika.ConnectionParameters, queue: str) -> None:
        self.queue, self.delivered = queue, 0
        self.connection = pika.SelectConnection(parameters, on_open_callback=self._up, on_close_callback=self._down)

    def _up(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._open)

    def _open(self, channel: Any) -> None:
        channel.basic_qos(prefetch_count=200)
        channel.basic_consume(self.queue, self._arrive)

    def _arrive(self, channel: Any, method: Any, _properties: Any, _body: bytes) -> None:
        self.delivered += 1
        channel.basic_ack(method.delivery_tag)

    def _down(self, connection: Any, _reason: Any) -> None:
        connection.ioloop.stop()


class Publisher:
    """Keeps ``window`` messages unconfirmed for ``length`` seconds."""

    def __init__(
        self, parameters: pika.ConnectionParameters, queue: str, window: int, length: float, consumer: Consumer | None
    ) -> None:
        self.queue, self.window, self.length, self.consumer = queue, window, length, consumer
        self.confirmed = self.tag = 0
        self.waiting: dict[int, None] = {}
        self.samples: list[tuple[float, int, int]] = []
        self.channel: Any = None
        self.until = 0.0
        self.connection = pika.SelectConnection(parameters, on_open_callback=self._up, on_close_callback=self._down)

    def _up(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._open)

    def _open(self, channel: Any) -> None:
        self.channel = channel
        channel.confirm_delivery(self._answered, callback=self._ready)

    def _ready(self, _frame: Any) -> None:
        self.until = time.monotonic() + self.length
        self._sample()
        self._publish()

    def _sample(self) -> None:
        now = time.monotonic()
        self.samples.append((now, self.confirmed, self.consumer.delivered if self.consumer else 0))
        if now >= self.until:
            self.connection.close()
        else:
            self.connection.ioloop.call_later(SAMPLE, self._sample)

    def _publish(self) -> None:
        while len(self.waiting) < self.window:
            self.tag += 1
            self.waiting[self.tag] = None
            self.channel.basic_publish("", self.queue, BODY, PERSISTENT, mandatory=True)

    def _answered(self, frame: Any) -> None:
        method = frame.method
        if not isinstance(method, pika.spec.Basic.Ack):
            raise SystemExit(f"not confirmed: {method}")
        if method.multiple:
            for tag in list(itertools.takewhile(lambda tag: tag <= method.delivery_tag, self.waiting)):
                del self.waiting[tag]
                self.confirmed += 1
        else:
            del self.waiting[method.delivery_tag]
            self.confirmed += 1
        if time.monotonic() < self.until:
            self._publish()

    def _down(self, connection: Any, _reason: Any) -> None:
        connection.ioloop.stop()


def main(asked: dict[str, Any]) -> None:
    parameters = pika.ConnectionParameters(
        host=asked["host"],
        virtual_host=asked["vhost"],
        credentials=pika.PlainCredentials(asked["user"], asked["password"]),
        heartbeat=20,
    )
    consumer = Consumer(parameters, asked["queue"]) if asked["consume"] else None
    if consumer is not None:
        threading.Thread(target=consumer.connection.ioloop.start, daemon=True).start()
    publisher = Publisher(parameters, asked["queue"], int(asked["window"]), float(asked["seconds"]), consumer)
    publisher.connection.ioloop.start()
    print(json.dumps(publisher.samples))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
