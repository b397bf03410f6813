"""The ledger of every message: what was attempted, what the broker answered, what arrived.

Standard library only: it runs in the load client. Compact: a bit for each message and question, so that ten million
messages fit into a few megabytes. A delivery is written on arrival, before its ack.
"""

from __future__ import annotations

import base64
import zlib
from bisect import bisect_right
from collections.abc import Collection, Iterator
from typing import Any

MOST_EXAMPLES = 20


class Bitmap:
    """A growing set of whole numbers from 0 on, one bit each."""

    __slots__ = ("_bits",)

    def __init__(self, bits: bytes | bytearray = b"") -> None:
        self._bits = bytearray(bits)

    def set(self, number: int) -> None:
        byte = number >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(max(byte + 1 - len(self._bits), len(self._bits) // 2 + 64)))
        self._bits[byte] |= 1 << (number & 7)

    def add(self, number: int) -> bool:
        """As ``set``; whether it is new."""
        byte, bit = number >> 3, 1 << (number & 7)
        if byte >= len(self._bits) or not self._bits[byte] & bit:
            self.set(number)
            return True
        return False

    def clear(self, number: int) -> None:
        if self.test(number):
            self._bits[number >> 3] &= ~(1 << (number & 7))

    def test(self, number: int) -> bool:
        byte = number >> 3
        return byte < len(self._bits) and bool(self._bits[byte] & (1 << (number & 7)))

    def count(self) -> int:
        return int.from_bytes(self._bits, "little").bit_count()

    def ones(self) -> Iterator[int]:
        for place, byte in enumerate(self._bits):
            if byte:
                for bit in range(8):
                    if byte & (1 << bit):
                        yield place * 8 + bit

    def _as_int(self) -> int:
        return int.from_bytes(self._bits, "little")

    @classmethod
    def _of_int(cls, value: int) -> Bitmap:
        return cls(value.to_bytes((value.bit_length() + 7) // 8, "little"))

    @classmethod
    def first(cls, count: int) -> Bitmap:
        """All numbers below ``count``."""
        return cls._of_int((1 << count) - 1)

    @classmethod
    def of(cls, *numbers: int) -> Bitmap:
        made = cls()
        for number in numbers:
            made.set(number)
        return made

    def __and__(self, other: Bitmap) -> Bitmap:
        return self._of_int(self._as_int() & other._as_int())

    def __or__(self, other: Bitmap) -> Bitmap:
        return self._of_int(self._as_int() | other._as_int())

    def __sub__(self, other: Bitmap) -> Bitmap:
        return self._of_int(self._as_int() & ~other._as_int())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bitmap) and self._as_int() == other._as_int()

    def __hash__(self) -> int:
        return hash(self._as_int())

    def __repr__(self) -> str:
        return f"<Bitmap of {self.count()}>"

    def to_text(self) -> str:
        return base64.b64encode(zlib.compress(bytes(self._bits), 1)).decode()

    @classmethod
    def from_text(cls, text: str) -> Bitmap:
        return cls(zlib.decompress(base64.b64decode(text)))


class Examples:
    """A count with at most 20 examples."""

    __slots__ = ("count", "examples")

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[Any] = []

    def add(self, example: Any) -> None:
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(example)

    def dump(self) -> dict[str, Any]:
        return {"count": self.count, "examples": self.examples}


class StreamLedger:
    """One publisher's messages, numbered from 0. A returned message is confirmed too: it counts as returned.

    ``owed``: arrived at a consumer that kept them unacknowledged, and whose session died: the broker owes them once more.
    """

    MAPS = ("confirmed", "nacked", "returned", "delivered", "repeated", "republished", "late", "owed")

    def __init__(self, name: str, queue: str, load: str = "") -> None:
        self.name, self.queue, self.load = name, queue, load
        self.attempted = 0
        self.confirmed, self.nacked, self.returned = Bitmap(), Bitmap(), Bitmap()
        self.delivered, self.repeated, self.republished = Bitmap(), Bitmap(), Bitmap()
        self.late, self.owed = Bitmap(), Bitmap()
        self.unflagged, self.out_of_order = Examples(), Examples()
        self.counts = {"confirmed": 0, "nacked": 0, "returned": 0, "delivered": 0}
        self._highest_fresh: dict[tuple[str, int], int] = {}
        self._channels: list[int] = []

    def attempt(self) -> int:
        number = self.attempted
        self.attempted += 1
        return number

    def confirm(self, number: int) -> bool:
        """Does it count? Not for what came back as unroutable, nor a second time."""
        if (self.counts["returned"] and self.returned.test(number)) or not self.confirmed.add(number):
            return False
        self.counts["confirmed"] += 1
        return True

    def nack(self, number: int) -> None:
        self.nacked.set(number)
        self.counts["nacked"] += 1

    def give_back(self, number: int) -> None:
        """basic.return: nobody could take it."""
        self.returned.set(number)
        self.counts["returned"] += 1

    def republish(self, number: int) -> None:
        """An unknown one is tried again: that it arrives twice is the publisher's doing, not the broker's."""
        self.republished.set(number)

    def new_channel(self) -> None:
        """What is attempted from now on goes through a channel of its own."""
        self._channels.append(self.attempted)

    def deliver(self, number: int, redelivered: bool, consumer: str = "") -> bool | None:
        """Write an arrival; whether it is the first, None when the number was never attempted. The order is that of one channel
        to one consumer.

        AMQP 0-9-1 (4.7) promises no more: what a publisher sends after a reconnect may overtake what it sent before.
        """
        if number >= self.attempted:
            return None
        is_fresh = not redelivered and not self.republished.test(number)
        is_first = self.delivered.add(number)
        if is_first:
            self.counts["delivered"] += 1
        else:
            self.repeated.set(number)
            self.owed.clear(number)
            if is_fresh:
                self.unflagged.add(number)
        if is_fresh:
            way = (consumer, bisect_right(self._channels, number))
            if number >= self._highest_fresh.get(way, -1):
                self._highest_fresh[way] = number
            else:
                self.out_of_order.add(number)
        return is_first

    def find(self, number: int) -> bool:
        """A sweep after the load found it in a queue: not delivered in time, and not lost. False if it was never attempted."""
        if number >= self.attempted:
            return False
        self.late.set(number)
        return True

    def unanswered(self) -> Bitmap:
        return Bitmap.first(self.attempted) - self.confirmed - self.nacked - self.returned

    def missing(self) -> Bitmap:
        """Confirmed, and neither arrived (for good) nor found."""
        return self.confirmed - (self.delivered - self.owed) - self.late

    def dump(self) -> dict[str, Any]:
        maps = {name: getattr(self, name).to_text() for name in self.MAPS}
        return {
            "name": self.name,
            "queue": self.queue,
            "attempted": self.attempted,
            **maps,
            "unflagged": self.unflagged.dump(),
            "out_of_order": self.out_of_order.dump(),
        }


class Ledger:
    """All streams of a load, and what arrived without ever being attempted.

    ``load`` is written into its messages: what comes of an ``earlier`` load is a left-over, neither an arrival nor a phantom.
    """

    def __init__(self, load: str = "", earlier: Collection[str] = ()) -> None:
        self.load, self.earlier = load, frozenset(earlier)
        self.streams: dict[str, StreamLedger] = {}
        self.unexpected = Examples()
        self.left_over = 0
        self._held: dict[tuple[str, int], str] = {}

    def stream(self, name: str, queue: str) -> StreamLedger:
        if name not in self.streams:
            self.streams[name] = StreamLedger(name, queue, self.load)
        return self.streams[name]

    def hold(self, stream: str, number: int, session: str) -> None:
        """What just arrived stays unacknowledged in this session."""
        self._held[stream, number] = session

    def owe(self, session: str) -> None:
        """What it held, and nobody else has got since, is to come again, unless it proves to be acknowledged."""
        for stream, number in self._held_by(session):
            self.streams[stream].owed.set(number)

    def acknowledged(self, session: str) -> None:
        """All that it held: an answer came through its channel, so it lives."""
        for stream, number in self._held_by(session):
            self.streams[stream].owed.clear(number)
            del self._held[stream, number]

    def died(self, session: str) -> None:
        self.owe(session)
        for message in self._held_by(session):
            del self._held[message]

    def _held_by(self, session: str) -> list[tuple[str, int]]:
        return [message for message, holder in self._held.items() if holder == session and message[0] in self.streams]

    def _is_of_an_earlier_load(self, load: str) -> bool:
        if load in self.earlier:
            self.left_over += 1
        return load in self.earlier

    def arrive(
        self, stream: str, number: int, redelivered: bool, text: bytes, consumer: str = "", load: str = ""
    ) -> bool:
        """Write an arrival; True if it is the first of a message that was attempted. ``text``: what to show of a phantom."""
        if load != self.load and self._is_of_an_earlier_load(load):
            return False
        if self._held:
            self._held.pop((stream, number), None)
        known = self.streams.get(stream) if load == self.load and number >= 0 else None
        is_first = None if known is None else known.deliver(number, redelivered, consumer)
        if is_first is None:
            self.unexpected.add(text[:80].decode(errors="replace"))
        return bool(is_first)

    def swept(self, stream: str, number: int, text: bytes, load: str = "") -> None:
        if load != self.load and self._is_of_an_earlier_load(load):
            return
        known = self.streams.get(stream) if load == self.load else None
        if known is None or number < 0 or not known.find(number):
            self.unexpected.add(text[:80].decode(errors="replace"))

    def dump(self) -> dict[str, Any]:
        return {
            "streams": [s.dump() for s in self.streams.values()],
            "unexpected": self.unexpected.dump(),
            "left_over": self.left_over,
        }
