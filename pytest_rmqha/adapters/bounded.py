"""A command inside a container that ends in time or is ended: docker-py's own ``exec_run`` reads its output without limit.

At the limit the stream is cut, which the reader sees at once, and the command is killed inside. It can't be done by
``timeout`` in front of it: that is one more process whose command line ``pkill -f`` and ``pgrep -f`` would find, and images
of others may lack it. The command carries a variable instead, by which it is found again together with its children.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import docker.errors
import requests

from pytest_rmqha.errors import ToolFailed

LIMIT = 60.0
"""Seconds for a command that says nothing else."""
TOOLS_LIMIT = 180.0
"""Seconds for a broker's own tools: start_app waits for tables of its peers, 30 s a try."""
TOOLS = ("rabbitmqctl", "rabbitmq-queues", "rabbitmq-diagnostics", "rabbitmq-upgrade")
KILL_LIMIT = 5.0
CODE_LIMIT = 1.0

HEAD = struct.Struct(">BxxxL")
"""Before each piece of output: which stream (2 is standard error) and how many bytes."""
STDERR = 2

MARK = "RMQHA_EXEC"
# Children as well: a broker's tool goes on as another user, whose environment root may not read without SYS_PTRACE.
KILL = (
    'end() { for f in $(grep -l "^PPid:[[:space:]]*$1\\$" /proc/[0-9]*/status 2>/dev/null); do '
    'f=${f#/proc/}; end "${f%/status}"; done; kill -9 "$1" 2>/dev/null; }; '
    f"for f in $(grep -alz '^{MARK}=TOKEN$' /proc/[0-9]*/environ 2>/dev/null); do "
    'f=${f#/proc/}; end "${f%/environ}"; done'
)


@dataclass(frozen=True)
class Answer:
    """What a command inside a container said: exit code, standard output and error as text."""

    code: int
    out: str
    err: str


def limit_of(command: Sequence[str]) -> float:
    """Seconds that a command is given when its caller asks for nothing else."""
    return TOOLS_LIMIT if command[:1] and command[0] in TOOLS else LIMIT


def run_in(api: Any, container: str, command: Sequence[str], *, user: str, within: float) -> Answer:
    """``api``: docker's low-level client; ``container``: its id.

    ToolFailed when the command has not ended ``within`` seconds; what the engine itself refuses passes through.
    """
    token = secrets.token_hex(8)
    made = api.exec_create(container, list(command), user=user, environment={MARK: token})
    stream = api.exec_start(made["Id"], stream=True, demux=True)
    late = threading.Event()

    def cut() -> None:
        late.set()
        try:
            stream.close()
        except docker.errors.DockerException:  # by SSH a stream can't be cut: it ends with the command
            _kill(api, container, token)
        except Exception:  # it ended in this very moment
            return

    watchdog = threading.Timer(within, cut)
    watchdog.daemon = True
    watchdog.start()
    out, err = bytearray(), bytearray()
    try:
        for one, other in _pieces(stream):
            out += one or b""
            err += other or b""
    except Exception:  # only that of a stream that we have cut ourselves is no error of its own: the cut is told below
        if not late.is_set():
            raise
    finally:
        watchdog.cancel()
        with contextlib.suppress(Exception):
            stream.close()
    if late.is_set():
        _kill(api, container, token)
        words = " ".join(command)
        said = (err or out).decode(errors="replace").strip()[-300:]
        raise ToolFailed(
            f"{words[:300]} did not end within {within:g} s and was killed; it had said: {said or 'nothing'}"
        )
    code = _exit_code(api, made["Id"])
    if code is None:
        raise ToolFailed(f"{' '.join(command)[:300]} closed its output and goes on: it has no exit code")
    return Answer(code, out.decode(errors="replace"), err.decode(errors="replace"))


def _pieces(stream: Any) -> Iterator[tuple[bytes | None, bytes | None]]:
    """(standard output, standard error), piece by piece.

    docker-py reads the bare socket, past what the HTTP client has already read of it: output that comes together with the
    head of the engine's answer is lost without a word. Here it is read through the HTTP client's own buffer. A stream that
    has none (by SSH) is read as docker-py does it.
    """
    reader = getattr(getattr(getattr(getattr(stream, "_response", None), "raw", None), "_fp", None), "fp", None)
    bare = getattr(getattr(reader, "raw", None), "_sock", None)
    if not isinstance(reader, io.BufferedReader) or bare is None:
        yield from stream
        return
    bare.settimeout(None)  # the watchdog's limit is the only one: a command may say nothing for long
    while head := reader.read(HEAD.size):
        kind, size = HEAD.unpack(_whole(head, HEAD.size))
        piece = _whole(reader.read(size), size)
        yield (None, piece) if kind == STDERR else (piece, None)


def _whole(read: bytes, size: int) -> bytes:
    if len(read) < size:
        raise ToolFailed("the engine's connection ended within the command's output")
    return read


def _exit_code(api: Any, number: str) -> int | None:
    """The engine may see the end of the output some time before that of the command."""
    until = time.monotonic() + CODE_LIMIT
    while (code := api.exec_inspect(number)["ExitCode"]) is None and time.monotonic() < until:
        time.sleep(0.05)
    return code if code is None else int(code)


def _kill(api: Any, container: str, token: str) -> None:
    """As far as it can be done: a paused container lets nobody in, and an image without a shell keeps what it runs."""
    with contextlib.suppress(docker.errors.DockerException, requests.RequestException, ToolFailed):
        made = api.exec_create(container, ["sh", "-c", KILL.replace("TOKEN", token)], user="0")
        stream = api.exec_start(made["Id"], stream=True, demux=True)
        watchdog = threading.Timer(KILL_LIMIT, stream.close)
        watchdog.daemon = True
        watchdog.start()
        try:
            for _ in stream:
                pass
        finally:
            watchdog.cancel()
            stream.close()
