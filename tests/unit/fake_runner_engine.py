"""An engine with one runner on it, in memory: what is asked of the docker SDK by ``adapters.runner``."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from typing import Any

import docker.errors


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class FakeContainer:
    """It writes ``pieces``, then waits for a signal if ``waits``; a SIGINT makes it write ``last`` and end with ``code``."""

    def __init__(self, code: int = 0, *, waits: bool = False) -> None:
        self.id, self.status, self.code = "c1", "created", code
        self.attrs: dict[str, Any] = {"State": {}}
        self.pieces: list[tuple[bytes | None, bytes | None]] = [(b"one\n", None), (None, b"two\n")]
        self.waits, self.listens = waits, True
        self.files: dict[str, bytes] = {}
        self.gives: dict[str, dict[str, bytes]] = {}
        self.done: list[str] = []
        self.ended = threading.Event()
        self.created_with: dict[str, Any] = {}

    def put_archive(self, path: str, data: bytes) -> bool:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content is not None
                self.files[f"{path}{member.name}"] = content.read()
        return True

    def get_archive(self, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        if path not in self.gives:
            raise docker.errors.NotFound("no such path")
        return iter([tar_of(self.gives[path])]), {}

    def start(self) -> None:
        self.done.append("start")
        self.status = "running"

    def stream(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        yield from self.pieces
        if self.waits:
            self.ended.wait(10)
        self.status = "exited"

    def kill(self, signal: str) -> None:
        self.done.append(f"kill {signal}")
        if signal == "SIGKILL" or self.listens:
            self.code = 137 if signal == "SIGKILL" else 2
            self.ended.set()

    def reload(self) -> None:
        """It knows its state."""

    def wait(self, timeout: float) -> dict[str, int]:
        return {"StatusCode": self.code}

    def remove(self, **_how: bool) -> None:
        self.done.append("remove")


class FakeEngine:
    """The SDK's client, as far as a runner asks it."""

    def __init__(self, container: FakeContainer) -> None:
        self.container, self.refusal = container, ""
        self.containers = self
        self.networks = self
        self.api = self

    def create(self, image: str, **how: Any) -> FakeContainer:
        if self.refusal:
            raise docker.errors.APIError(self.refusal)
        self.container.created_with = {"image": image, **how}
        return self.container

    def attach(self, _id: str, **_how: bool) -> Iterator[tuple[bytes | None, bytes | None]]:
        self.container.done.append("attach")
        return self.container.stream()

    def list(self, **_how: Any) -> list[Any]:
        return []
