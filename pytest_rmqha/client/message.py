"""What a message of the load looks like: ``stream:number:microseconds:load:`` and padding. Never raises on a stranger's body.

Colons in the stream's name are written ``%3A``, so that a queue called ``orders:eu`` is not taken for another stream.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class Parsed(NamedTuple):
    """``load``: the token of the load that published it; numbers begin anew with every load, on the same streams.

    ``at``: microseconds, monotonic, of the sending.
    """

    stream: str
    number: int
    load: str = ""
    at: int = 0


STRANGER = Parsed("", -1)


def header_of(stream: str) -> bytes:
    """The part that all messages of a stream share; computed once, it is on the way of every message."""
    return stream.replace("%", "%25").replace(":", "%3A").encode() + b":"


def body(header: bytes, number: int, at: float, size: int, load: bytes = b"") -> bytes:
    """At least the header, else padded to ``size`` bytes. ``at``: monotonic seconds."""
    return (b"%s%d:%d:%s:" % (header, number, int(at * 1e6), load)).ljust(size, b".")


def parsed(body: bytes) -> Parsed:
    """``STRANGER`` if it is none of ours."""
    parts = body.split(b":", 4)
    if len(parts) < 4 or not parts[1].isdigit() or not parts[2].isdigit():
        return STRANGER
    try:
        load = parts[3].decode() if len(parts) > 4 else ""
        return Parsed(_stream_of(parts[0]), int(parts[1]), load, int(parts[2]))
    except UnicodeDecodeError:
        return STRANGER


@lru_cache(maxsize=64)
def _stream_of(header: bytes) -> str:
    return header.decode().replace("%3A", ":").replace("%25", "%")
