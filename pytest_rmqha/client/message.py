"""What a message of the load looks like: ``stream:number:microseconds:`` and padding. Never raises on a stranger's body.

Colons in the stream's name are written ``%3A``, so that a queue called ``orders:eu`` is not taken for another stream.
"""

from __future__ import annotations

STRANGER = ("", -1)


def header_of(stream: str) -> bytes:
    """The part that all messages of a stream share; computed once, it is on the way of every message."""
    return stream.replace("%", "%25").replace(":", "%3A").encode() + b":"


def body(header: bytes, number: int, at: float, size: int) -> bytes:
    """At least the header, else padded to ``size`` bytes. ``at``: monotonic seconds."""
    return (b"%s%d:%d:" % (header, number, int(at * 1e6))).ljust(size, b".")


def parsed(body: bytes) -> tuple[str, int]:
    """(stream, number); ``STRANGER`` if it is none of ours."""
    parts = body.split(b":", 3)
    if len(parts) < 4 or not parts[1].isdigit():
        return STRANGER
    try:
        stream = parts[0].decode()
    except UnicodeDecodeError:
        return STRANGER
    return stream.replace("%3A", ":").replace("%25", "%"), int(parts[1])
