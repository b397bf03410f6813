"""Connections that do nothing for minutes, in a process of their own: what becomes of them is written line by line.

``python3 -m rmqha_client.patience ASKED TOLD``: ASKED is a file of JSON (host, port, user, password, vhost, idle, silent:
how many of each, give_up: seconds after which a silent one ends itself). An *idle* client accepts the heartbeat that the broker offers and sends its own at half of it. A *silent*
one opens a connection the same way and never says another word, as a host does that has lost its power. Either is opened
anew when it is cut. TOLD gets a JSON line per connection: kind, name, opened, cut (monotonic seconds, cut null while it
lives), heartbeat, why.

AMQP by hand instead of a library: a library answers heartbeats for a client that is meant to be dead.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

HANDSHAKE, BACK_OFF = 5.0, 1.0
HEADER, HEARTBEAT, END = b"AMQP\x00\x00\x09\x01", b"\x08\x00\x00\x00\x00\x00\x00\xce", b"\xce"
GAVE_UP = "given up by the client itself"
METHOD, START, START_OK, TUNE, TUNE_OK, OPEN, OPEN_OK = 1, 10, 11, 30, 31, 40, 41


class Refused(Exception):
    """The connection could not be opened; its text says how far it came."""


def frame(method: int, arguments: bytes) -> bytes:
    """A method of class 10 (connection) on channel 0."""
    payload = struct.pack(">HH", 10, method) + arguments
    return struct.pack(">BHI", METHOD, 0, len(payload)) + payload + END


def short(text: str) -> bytes:
    raw = text.encode()
    return bytes([len(raw)]) + raw


def long(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def start_ok(name: str, user: str, password: str) -> bytes:
    """With the capability to be told why a login failed: without it a broker closes the connection and says nothing."""
    can = short("authentication_failure_close") + b"t\x01"
    properties = short("capabilities") + b"F" + long(can) + short("connection_name") + b"S" + long(name.encode())
    return long(properties) + short("PLAIN") + long(f"\0{user}\0{password}".encode()) + short("en_US")


def exactly(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = wire.recv(size - len(data))
        if not part:
            raise Refused("the connection was closed")
        data += part
    return data


def method_of(wire: socket.socket, wanted: int) -> bytes:
    """The arguments of the wanted method, which has to come next."""
    kind, _, size = struct.unpack(">BHI", exactly(wire, 7))
    payload = exactly(wire, size + 1)[:-1]
    got = struct.unpack(">HH", payload[:4]) if kind == METHOD else (kind, 0)
    if got != (10, wanted):
        raise Refused(f"expected method 10.{wanted}, got {got[0]}.{got[1]} {payload[4:80]!r}")
    return payload[4:]


def opened(asked: dict[str, Any], name: str) -> tuple[socket.socket, int]:
    """An open connection and the heartbeat in seconds that the broker offered and the client took."""
    wire = socket.create_connection((asked["host"], asked["port"]), timeout=HANDSHAKE)
    try:
        wire.sendall(HEADER)
        method_of(wire, START)
        wire.sendall(frame(START_OK, start_ok(name, asked["user"], asked["password"])))
        channels, size, heartbeat = struct.unpack(">HIH", method_of(wire, TUNE)[:8])
        wire.sendall(frame(TUNE_OK, struct.pack(">HIH", channels, size, heartbeat)))
        wire.sendall(frame(OPEN, short(asked["vhost"]) + b"\0\0"))
        method_of(wire, OPEN_OK)
    except BaseException:
        wire.close()
        raise
    return wire, int(heartbeat)


def stays(wire: socket.socket, every: float | None, at_most: float | None = None) -> str:
    """Read until the connection ends, sending a heartbeat ``every`` seconds (None: never); returns how it ended.

    ``at_most`` seconds: who never sends is not told that the VIP has moved away from its balancer, so it has to end itself.
    """
    wire.settimeout(0.2)
    until = time.monotonic() + at_most if at_most else None
    due = time.monotonic() + every if every else None
    try:
        while until is None or time.monotonic() < until:
            if due is not None and every is not None and time.monotonic() >= due:
                wire.sendall(HEARTBEAT)
                due += every
            try:
                if not wire.recv(4096):
                    return "closed by the other side"
            except TimeoutError:
                continue
        return GAVE_UP
    except OSError as error:
        return f"{type(error).__name__} {error}"
    finally:
        wire.close()


class Book:
    """The lines told so far; a connection's line is written when it opens and again when it is cut."""

    def __init__(self, place: Path) -> None:
        self._place, self._lock = place, threading.Lock()
        self._place.write_text("", encoding="utf-8")

    def tell(self, **line: Any) -> None:
        with self._lock, self._place.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def wait(kind: str, number: int, asked: dict[str, Any], book: Book) -> None:
    """One client after the other in the same place, for ever: the process is ended with its container."""
    life = 0
    while True:
        name = f"patience.{kind}.{number}.{life}"
        try:
            wire, heartbeat = opened(asked, name)
        except (OSError, Refused, struct.error):
            time.sleep(BACK_OFF)
            continue
        life += 1
        began = time.monotonic()
        about = {"kind": kind, "name": name, "opened": began, "heartbeat": heartbeat}
        book.tell(**about, cut=None, why="")
        every = heartbeat / 2 if kind == "idle" and heartbeat else None
        why = stays(wire, every, float(asked["give_up"]) if kind == "silent" else None)
        book.tell(**about, cut=time.monotonic(), why=why)
        time.sleep(BACK_OFF)


def main(asked_at: str, told_at: str) -> None:
    place = Path(asked_at)
    asked = json.loads(place.read_text(encoding="utf-8"))
    place.unlink()
    book = Book(Path(told_at))
    for kind in ("idle", "silent"):
        for number in range(int(asked[kind])):
            threading.Thread(target=wait, args=(kind, number, asked, book), daemon=True).start()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
