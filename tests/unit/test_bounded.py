"""A command in a container ends in time or is ended, with all that it started and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from pytest_rmqha.adapters.bounded import KILL, LIMIT, MARK, TOOLS_LIMIT, Answer, limit_of, run_in
from pytest_rmqha.errors import ToolFailed


class Stream:
    """What was said, and then nothing until it is closed, unless it ends."""

    def __init__(self, *said: tuple[bytes | None, bytes | None], ends: bool, can_be_cut: bool = True) -> None:
        self._said, self._ends, self._can_be_cut = iter(said), ends, can_be_cut
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        yield from self._said
        if not self._ends:
            self.closed.wait(10)

    def close(self) -> None:
        if not self._can_be_cut:
            raise docker.errors.DockerException("not by SSH")
        self.closed.set()


class Api:
    def __init__(self, stream: Stream, code: int | None = 0) -> None:
        self.stream, self.code = stream, code
        self.asked: list[tuple[list[str], dict[str, Any]]] = []

    def exec_create(self, container: str, command: list[str], **more: Any) -> dict[str, str]:
        self.asked.append((command, more))
        return {"Id": str(len(self.asked))}

    def exec_start(self, number: str, **_: Any) -> Stream:
        if number == "1":
            return self.stream
        self.stream.closed.set()
        return Stream(ends=True)

    def exec_inspect(self, _number: str) -> dict[str, int | None]:
        return {"ExitCode": self.code}


def test_what_ends_in_time_is_an_answer_and_the_command_is_as_it_was_asked() -> None:
    api = Api(Stream((b"so", None), (None, b"but"), (b"me", None), ends=True), 3)
    assert run_in(api, "c", ("pkill", "-f", "it"), user="rabbitmq", within=5) == Answer(3, "some", "but")
    [(command, more)] = api.asked
    assert command == ["pkill", "-f", "it"]
    assert more["user"] == "rabbitmq"


@pytest.mark.parametrize("can_be_cut", [True, False])
def test_what_does_not_end_is_named_with_its_limit_and_killed_inside(can_be_cut: bool) -> None:
    api = Api(Stream((b"asking rabbit@rmq2", None), ends=False, can_be_cut=can_be_cut))
    began = time.monotonic()
    with pytest.raises(ToolFailed, match=r"rabbitmqctl reset did not end within 0\.2 s.*asking rabbit@rmq2"):
        run_in(api, "c", ("rabbitmqctl", "reset"), user="", within=0.2)
    assert time.monotonic() - began < 5
    token = api.asked[0][1]["environment"][MARK]
    killed = [command for command, _ in api.asked[1:]]
    assert killed
    assert all(token in command[-1] for command in killed)


def test_a_command_without_an_exit_code_is_a_tool_failure() -> None:
    with pytest.raises(ToolFailed, match="goes on"):
        run_in(Api(Stream(ends=True), None), "c", ("sh",), user="", within=5)


def test_the_engine_may_know_the_exit_code_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int | None] = [3, None, None]
    api = Api(Stream(ends=True))
    monkeypatch.setattr(api, "exec_inspect", lambda _: {"ExitCode": codes.pop()})
    assert run_in(api, "c", ("true",), user="", within=5).code == 3


FRAMES = struct.pack(">BxxxL", 1, 5) + b"held\n" + struct.pack(">BxxxL", 2, 4) + b"but\n"


@pytest.mark.parametrize("cut", [0, 3, 8, 20, None])
def test_output_that_comes_with_the_head_of_the_engines_answer_is_not_lost(tmp_path: Path, cut: int | None) -> None:
    """``cut``: how many bytes of it come together with the head; all where it is None."""
    address = str(tmp_path / "engine.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        threading.Thread(target=_engine, args=(listening, cut), daemon=True).start()
        api = docker.APIClient(base_url=f"unix://{address}", version="1.41", timeout=5)
        assert run_in(api, "c", ("it",), user="", within=5) == Answer(0, "held\n", "but\n")
        api.close()


@pytest.mark.parametrize("kept", [3, 8, 11, len(FRAMES) - 1])
def test_output_that_breaks_off_is_no_answer(tmp_path: Path, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.FRAMES", FRAMES[:kept])
    address = str(tmp_path / "engine.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        threading.Thread(target=_engine, args=(listening, None), daemon=True).start()
        api = docker.APIClient(base_url=f"unix://{address}", version="1.41", timeout=5)
        with pytest.raises(ToolFailed, match="ended within the command's output"):
            run_in(api, "c", ("it",), user="", within=5)
        api.close()


def _engine(listening: socket.socket, cut: int | None) -> None:
    """An engine that knows the three questions of an exec; it ends with the listening socket."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_answer, args=(connection, cut), daemon=True).start()


def _answer(connection: socket.socket, cut: int | None) -> None:
    asked = connection.makefile("rb")
    while request := asked.readline():
        heads = dict(line.decode().lower().split(":", 1) for line in iter(asked.readline, b"\r\n"))
        asked.read(int(heads.get("content-length", 0)))
        if b"/start" in request:
            head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            first = len(FRAMES) if cut is None else cut
            connection.sendall(head + FRAMES[:first])
            time.sleep(0.05)
            connection.sendall(FRAMES[first:])
            connection.shutdown(socket.SHUT_RDWR)
            return
        body = b'{"ExitCode": 0}' if request.startswith(b"GET") else b'{"Id": "1"}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)


def test_a_brokers_tools_are_given_longer() -> None:
    assert limit_of(("rabbitmqctl", "join_cluster", "x")) == TOOLS_LIMIT
    assert limit_of(("pgrep", "haproxy")) == limit_of(()) == LIMIT


def test_the_killing_script_ends_the_marked_command_and_its_children_alone() -> None:
    token = os.urandom(8).hex()
    body = ["sh", "-c", f"env -u {MARK} sleep 60 & echo $!; wait"]
    ours, other = (
        subprocess.Popen(body, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE, text=True)
        for mark in (token, token[::-1] + "0")
    )
    children = [int((process.stdout or pytest.fail()).readline()) for process in (ours, other)]
    try:
        subprocess.run(["sh", "-c", KILL.replace("TOKEN", token)], check=False, timeout=30)
        assert ours.wait(timeout=5) == -signal.SIGKILL
        assert not _runs(children[0])
        assert _runs(children[1])
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()
        if _runs(children[1]):
            os.kill(children[1], signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Not dead, nor dead and not yet waited for by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
