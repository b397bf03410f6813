"""The runner: a container that runs pytest beside the stack, on an engine whose containers this machine can't reach.

It is made, fed, followed, emptied and removed here. It asks the engine through the engine's own socket, the one thing that
is mounted; files are copied in and out, so that it works the same on a remote engine. The run inside joins its own network
(``own_container``) and is owned by this process: if this process is killed, both are what the next sweep removes.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
import urllib3
from docker.models.containers import Container
from docker.types import Mount
from docker.utils.socket import SocketError

from pytest_rmqha.adapters import leftovers, own_container
from pytest_rmqha.adapters.brought_back import bring_back
from pytest_rmqha.adapters.engine import RUN_LABEL, TROUBLE
from pytest_rmqha.adapters.noted_signals import NotedSignals
from pytest_rmqha.errors import ToolFailed, UserInputError

SOCKET = "/var/run/docker.sock"
BROKEN = (OSError, SocketError, requests.RequestException, urllib3.exceptions.HTTPError)
GOES_ON = ("running", "paused")
LOOK_EVERY, ASK_EVERY, AGAIN_AFTER, ENDED_WITHIN = 0.2, 10.0, 1.0, 30
HARD = 128


@dataclass(frozen=True)
class Job:
    """``start``: where pytest begins. ``files``: absolute paths, the same there as here; ``more``: path there -> content.

    ``socket``: the engine's socket as the engine sees it. ``size``: columns and lines of a terminal, or None without one.
    """

    name: str
    image: str
    arguments: Sequence[str]
    start: Path
    files: Sequence[Path]
    more: Mapping[str, bytes]
    outputs: Sequence[Path]
    environment: Mapping[str, str]
    socket: str = SOCKET
    size: tuple[int, int] | None = None


def socket_of(info: Mapping[str, Any], host: str, platform: str = sys.platform) -> str:
    """Where the engine has its own socket: where we have it, if both are on one Linux host, else where engines have it."""
    is_here = host.startswith("unix://") and platform == "linux" and info.get("OperatingSystem") != "Docker Desktop"
    return "/" + host.removeprefix("unix://").lstrip("/") if is_here else SOCKET


@dataclass
class Runner:
    """One run. ``out`` and ``err`` take what pytest writes; ``say`` takes lines of ours."""

    client: docker.DockerClient
    job: Job
    say: Callable[[str], None]
    out: Callable[[bytes], None]
    err: Callable[[bytes], None]
    signals: NotedSignals = field(default_factory=NotedSignals)
    _passed: int = 0

    def run(self) -> int:
        """pytest's exit code, or 128 and the number of the signal that ended it hard. Nothing of it is left afterwards."""
        with self.signals:
            container = self._created()
            try:
                self._put(container)
                self.signals.obey()
                try:
                    return self._followed(container)
                finally:
                    bring_back(container, self.job.outputs, frozenset(self.job.files))
            finally:
                self._remove(container)
                self._remove_runs()

    def _created(self) -> Container:
        job, owner = self.job, own_container.owner_labels()
        variables = {**job.environment, "DOCKER_HOST": f"unix://{SOCKET}", **own_container.environment(job.name, owner)}
        labels = {**owner, RUN_LABEL: job.name, "rmqha.role": "runner", "rmqha.started": f"{time.time():.0f}"}
        try:
            return self.client.containers.create(
                job.image,
                command=list(job.arguments),
                name=job.name,
                init=True,
                tty=job.size is not None,
                working_dir=str(job.start),
                environment=variables,
                labels=labels,
                mounts=[Mount(SOCKET, job.socket, type="bind")],
                security_opt=["label=disable"],  # SELinux lets no container touch the socket
                use_config_proxy=False,
            )
        except docker.errors.APIError as error:
            if "bind source path" in str(error):
                raise UserInputError(
                    "--engine-socket",
                    f"{job.socket}, which is not there on the engine's machine",
                    "the path of the engine's own socket, as the engine sees it",
                    f"name it ({SOCKET} on most engines)",
                ) from None
            raise ToolFailed(f"the runner can't be made: {error}") from error
        except TROUBLE as error:
            raise ToolFailed(f"the runner can't be made: {error}") from error

    def _put(self, container: Container) -> None:
        try:
            packed = archive_of(self.job.files, self.job.more)
        except OSError as error:
            raise UserInputError(
                "what the run needs",
                f"{error.filename} ({error.strerror})",
                "files that can be read",
                "make it readable, or hide it (.NAME) if the run does not need it",
            ) from None
        self.say(f"{len(self.job.files)} files ({len(packed) / 2**20:.1f} MiB) go into {self.job.name}")
        try:
            is_there = container.put_archive("/", packed)
        except TROUBLE as error:
            raise ToolFailed(f"the runner can't be fed: {error}") from error
        if not is_there:
            raise ToolFailed("the runner can't be fed: the engine did not take the archive")

    def _followed(self, container: Container) -> int:
        try:
            stream = self._attached(container)
            container.start()
            if self.job.size is not None:
                with contextlib.suppress(*TROUBLE):
                    container.resize(height=self.job.size[1], width=self.job.size[0])
            while True:
                self._listen(container, stream)
                container.reload()
                if container.status not in GOES_ON:
                    break
                self.say(
                    "the engine ended the stream of what pytest writes; it is taken up again, some lines may be lost"
                )
                threading.Event().wait(AGAIN_AFTER)
                stream = self._attached(container)
            code = int(container.wait(timeout=ENDED_WITHIN)["StatusCode"])
        except TROUBLE as error:
            raise ToolFailed(f"the runner can't be followed: {error}") from error
        if container.attrs["State"].get("OOMKilled"):
            self.say("the engine's machine had no memory left for the run")
        return HARD + self.signals.seen[-1] if self._passed > 1 else code

    def _attached(self, container: Container) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Asked before the start as well, so that no word is missed."""
        return self.client.api.attach(str(container.id), stdout=True, stderr=True, stream=True, demux=True)

    def _listen(self, container: Container, stream: Iterator[tuple[bytes | None, bytes | None]]) -> None:
        """Until the stream ends, or the container has and the stream does not say so. A thread reads: this one has signals."""
        reader = threading.Thread(target=self._copy, args=(stream,), name="rmqha-runner", daemon=True)
        reader.start()
        asked = time.monotonic()
        while reader.is_alive():
            reader.join(LOOK_EVERY)
            self._pass_on(container)
            if time.monotonic() - asked > ASK_EVERY:
                asked = time.monotonic()
                container.reload()
                if container.status not in GOES_ON:
                    return reader.join(AGAIN_AFTER)
        return None

    def _copy(self, stream: Iterator[tuple[bytes | None, bytes | None]]) -> None:
        with contextlib.suppress(*BROKEN):
            for out, err in stream:
                for taker, piece in ((self.out, out), (self.err, err)):
                    with contextlib.suppress(OSError):  # whoever read it has gone; the run goes on
                        if piece:
                            taker(piece)

    def _pass_on(self, container: Container) -> None:
        """The first signal to pytest, which then takes its stack down; any further one ends the container."""
        for number in self.signals.seen[self._passed :]:
            self._passed += 1
            if self._passed == 1:
                self.say(f"{number.name} goes to pytest, which takes its stack down; once more ends it hard")
                how = number
            else:
                self.say(f"{number.name} again: ended hard")
                how = signal.SIGKILL
            try:
                container.kill(signal=how.name)
            except TROUBLE as error:
                if "is not running" not in str(error):
                    self.say(f"{how.name} could not be handed over: {error}")

    def _remove(self, container: Container) -> None:
        try:
            container.remove(force=True, v=True)
        except docker.errors.NotFound:
            pass
        except TROUBLE as error:
            self.say(f"the runner {self.job.name} could not be removed: {error}")

    def _remove_runs(self) -> None:
        """What its runs left is nobody's now: pytest was ended hard, or could not take its stack down."""
        only: dict[str, Any] = {"label": f"{own_container.RUNNER_LABEL}={self.job.name}"}
        try:
            found = [
                *self.client.containers.list(all=True, ignore_removed=True, filters=only),
                *self.client.networks.list(filters=only),
            ]
            ours = {str((one.attrs.get("Labels") or getattr(one, "labels", {}))[RUN_LABEL]) for one in found}
            for left in leftovers.found() if ours else ():
                if left.name in ours and not left.kept:
                    leftovers.remove(left, self.say)
        except TROUBLE as error:
            self.say(f"what the runs of {self.job.name} left could not be looked for: {error}")


def archive_of(files: Sequence[Path], more: Mapping[str, bytes]) -> bytes:
    """Each file at its own path, readable by all, executable if it is here; links are followed. ``more``: path -> content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in files:
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            _add(archive, path.as_posix(), path.read_bytes(), mode, path.stat().st_mtime)
        for place, content in more.items():
            _add(archive, place, content, 0o644, 0)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, place: str, content: bytes, mode: int, mtime: float) -> None:
    entry = tarfile.TarInfo(place.lstrip("/"))
    entry.size, entry.mode, entry.mtime = len(content), mode, int(mtime)
    archive.addfile(entry, io.BytesIO(content))
