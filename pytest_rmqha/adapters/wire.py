"""One attached stream of JSON lines to the load client's container: requests and answers by id, events as they come.

Engine frames (8-byte headers, stream 1 = stdout) are taken apart in a reader thread. When the stream ends, everything
that waits for an answer fails at once with ToolFailed: a client that died is never mistaken for a quiet one.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from pytest_rmqha.errors import ToolFailed

STOPPING, BACK = 10.0, 2.0
"""Seconds that the client may close connections for when it stops, and that an answer is under way."""
RESERVED = {"stop": STOPPING + BACK, "republish": BACK}


class Wire:
    """``raw``: the attached socket (docker SDK's SocketIO or a socket). ``on_event`` is called in the reader thread.

    A request's number is given once in a process, to any wire: an answer that comes too late is nobody's, and also a
    second wire to the same client can't take it for its own.
    """

    _ids = itertools.count(1)

    def __init__(self, raw: Any, on_event: Callable[[Mapping[str, Any]], None]) -> None:
        self._raw = raw
        self._socket: socket.socket = getattr(raw, "_sock", raw)
        self._socket.settimeout(None)
        self._on_event = on_event
        self._waiting: dict[int, Future[Mapping[str, Any]]] = {}
        self._lock = threading.Lock()
        self.closed: str | None = None
        self.stderr: list[str] = []
        self._reader = threading.Thread(target=self._read, name="rmqha-client-wire", daemon=True)
        self._reader.start()

    def ask(self, verb: str, within: float = 30, **arguments: Any) -> Mapping[str, Any]:
        """One request; ToolFailed when its answer is not ok or not here after ``within`` seconds.

        The client answers one request after the other, so verbs that wait there (RESERVED) are told how long they may:
        one that we have given up would make the next one late as well.
        """
        __tracebackhide__ = True  # arguments may hold a password; pytest would print them
        number = next(self._ids)
        if verb in RESERVED:
            arguments["within"] = max(1.0, within - RESERVED[verb])
        future: Future[Mapping[str, Any]] = Future()
        with self._lock:
            if self.closed:
                raise ToolFailed(f"the load client is gone ({self.closed}); asked for {verb!r}")
            self._waiting[number] = future
            line = json.dumps({"id": number, "do": verb, **arguments}).encode() + b"\n"
            try:
                self._socket.sendall(line)
            except OSError as error:
                del self._waiting[number]
                raise ToolFailed(f"the load client is gone ({error}); asked for {verb!r}") from error
        try:
            answer = future.result(timeout=within)
        except FutureTimeout:
            raise ToolFailed(f"the load client did not answer {verb!r} within {within:.0f} s") from None
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        if not answer.get("ok"):
            raise ToolFailed(f"the load client refused {verb!r}: {answer.get('error')}")
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._raw.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _read(self) -> None:
        pending = b""
        reason = "its stream ended"
        try:
            while True:
                header = self._exactly(8)
                body = self._exactly(int.from_bytes(header[4:], "big"))
                if header[0] != 1:
                    self.stderr.append(body.decode(errors="replace"))
                    del self.stderr[:-200]
                    continue
                *lines, pending = (pending + body).split(b"\n")
                for line in lines:
                    if line.strip():
                        self._take(json.loads(line))
        except (EOFError, OSError):
            pass
        except ValueError as error:
            reason = f"it sent something that is not a JSON line: {error}"
        except Exception as error:  # whoever waits must be told at once, whatever ended this thread
            reason = f"its line could not be taken: {type(error).__name__}: {error}"
        with self._lock:
            self.closed = reason
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ToolFailed(f"the load client is gone: {reason}"))

    def _take(self, message: Mapping[str, Any]) -> None:
        if "event" in message:
            self._on_event(message)
            return
        with self._lock:
            future = self._waiting.get(int(message["id"]))
        if future is not None and not future.done():
            future.set_result(message)
