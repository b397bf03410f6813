"""What a message of the load looks like: ``stream:number:microseconds:load:`` and padding. Never raises on a stranger's body.

Colons in the stream's name are written ``%3A``, so that a queue called ``orders:eu`` is not taken for another stream.
"""

from __future__ import annotations

from typing import NamedTuple


class Parsed(NamedTuple):
    """``load``: the token of the load that published it; numbers begin anew with every load, on the same streams."""

    stream: str
    number: int
    load: str = ""


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
    if len(parts) < 4 or not parts[1].isdigit():
        return STRANGER
    try:
        stream, load = parts[0].decode(), parts[3].decode() if len(parts) > 4 else ""
    except UnicodeDecodeError:
        return STRANGER
    return Parsed(stream.replace("%3A", ":").replace("%25", "%"), int(parts[1]), load)
