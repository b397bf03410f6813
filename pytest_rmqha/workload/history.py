"""What a load came to, frozen: the ledger's streams and the meter's gaps, tries and rates. Checkers are functions of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_rmqha.client.ledger import Bitmap


@dataclass(frozen=True)
class Sample:
    """A count with at most 20 examples."""

    count: int = 0
    examples: tuple[Any, ...] = ()

    @staticmethod
    def of(dump: Mapping[str, Any]) -> Sample:
        return Sample(int(dump["count"]), tuple(dump["examples"]))


@dataclass(frozen=True)
class Stream:
    """One publisher's messages, numbered 0..attempted-1. *Confirmed* excludes what came back as unroutable."""

    name: str
    queue: str
    attempted: int
    confirmed: Bitmap = field(default_factory=Bitmap)
    nacked: Bitmap = field(default_factory=Bitmap)
    returned: Bitmap = field(default_factory=Bitmap)
    delivered: Bitmap = field(default_factory=Bitmap)
    repeated: Bitmap = field(default_factory=Bitmap)
    republished: Bitmap = field(default_factory=Bitmap)
    late: Bitmap = field(default_factory=Bitmap)
    owed: Bitmap = field(default_factory=Bitmap)
    unflagged: Sample = Sample()
    out_of_order: Sample = Sample()

    @property
    def unknown(self) -> Bitmap:
        """Attempted, and the connection died before an answer."""
        return Bitmap.first(self.attempted) - self.confirmed - self.nacked - self.returned

    @property
    def lost(self) -> Bitmap:
        """Confirmed, and neither delivered nor found *late* by a sweep of the queue.

        *Owed* is lost as well: it arrived where it was kept unacknowledged, its session died, and it never came again.
        """
        return self.confirmed - (self.delivered - self.owed) - self.late

    @property
    def recovered(self) -> Bitmap:
        return self.unknown & self.delivered

    @staticmethod
    def of(dump: Mapping[str, Any]) -> Stream:
        maps = {
            m: Bitmap.from_text(dump[m])
            for m in ("confirmed", "nacked", "returned", "delivered", "repeated", "republished")
        }
        return Stream(
            dump["name"],
            dump["queue"],
            int(dump["attempted"]),
            **maps,
            late=Bitmap.from_text(dump["late"]) if dump.get("late") else Bitmap(),
            owed=Bitmap.from_text(dump["owed"]) if dump.get("owed") else Bitmap(),
            unflagged=Sample.of(dump["unflagged"]),
            out_of_order=Sample.of(dump["out_of_order"]),
        )


@dataclass(frozen=True)
class Gap:
    """A stretch of at least 0.25 s without a confirm (``publish``) or a delivery (``deliver``), monotonic seconds."""

    role: str
    kind: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


IDLE, HELD, PROBER = "idle", "held", "prober"
QUIET_CLIENTS = (IDLE, HELD, PROBER)
"""Roles of those that stand beside every load of ``Workload.running``."""


@dataclass(frozen=True)
class Connect:
    """One try to connect: began ``at``, took ``seconds``."""

    role: str
    at: float
    seconds: float
    ok: bool
    error: str = ""
    peer: str = ""


@dataclass(frozen=True)
class History:
    """Immutable. ``rates``: kind -> (bucket start, count) by 0.2 s. ``connects_unwritten``: tries beyond what is kept.
    ``left_over``: arrivals of what an earlier load on the same queues had published.

    ``latencies``: kind -> (second in which the wait ended, ((µs, count), …)); µs are at most 3.2 % off. A message that
    was never answered, or never arrived, has none.
    """

    streams: tuple[Stream, ...]
    unexpected: Sample = Sample()
    left_over: int = 0
    gaps: tuple[Gap, ...] = ()
    connects: tuple[Connect, ...] = ()
    connects_unwritten: int = 0
    rates: Mapping[str, tuple[tuple[float, int], ...]] = field(default_factory=dict)
    window: tuple[float, float] = (0.0, 0.0)
    latencies: Mapping[str, tuple[tuple[int, tuple[tuple[int, int], ...]], ...]] = field(default_factory=dict)

    @staticmethod
    def from_dump(dump: Mapping[str, Any]) -> History:
        return History(
            streams=tuple(Stream.of(s) for s in dump["streams"]),
            unexpected=Sample.of(dump["unexpected"]),
            left_over=int(dump.get("left_over", 0)),
            gaps=tuple(Gap(*g) for g in dump["gaps"]),
            connects=tuple(Connect(**c) for c in dump["connects"]),
            connects_unwritten=int(dump.get("connects_unwritten", 0)),
            rates={kind: tuple((float(b), int(n)) for b, n in buckets) for kind, buckets in dump["rates"].items()},
            window=(float(dump["window"][0]), float(dump["window"][1])),
            latencies={
                kind: tuple((int(second), tuple((int(us), int(n)) for us, n in steps)) for second, steps in found)
                for kind, found in dump.get("latencies", {}).items()
            },
        )
