"""A docker engine on a socket of its own: it answers questions, makes nothing, and remembers what it was asked to do."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

ID = "the-engine-of-this-test"


def _labelled(found: Any, wanted: list[str]) -> Any:
    """Of a list those with all the labels, each ``name`` or ``name=value``; anything else as it is."""
    if not isinstance(found, list):
        return found
    return [
        one
        for one in found
        if all(
            one["Labels"].get(name) in ([value] if equals else one["Labels"].values())
            for name, equals, value in (label.partition("=") for label in wanted)
        )
    ]


@dataclass
class FakeEngine:
    """``images``: those that are there, with their environment; None: all of them. ``answers``: path -> JSON or bytes."""

    socket: Path
    api: str = "1.41"
    images: dict[str, list[str]] | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def made(self) -> list[str]:
        """Everything that was more than a question."""
        return [request for request in self.asked if not request.startswith(("GET ", "HEAD "))]

    def answer(self, path: str) -> tuple[int, Any]:
        asked = urlsplit(path)
        plain = re.sub(r"^/v[\d.]+", "", asked.path)
        if plain in self.answers:
            wanted = json.loads(parse_qs(asked.query).get("filters", ["{}"])[0]).get("label", [])
            return 200, _labelled(self.answers[plain], [str(label) for label in wanted])
        image = re.fullmatch(r"/images/(.+)/json", plain)
        if image and (self.images is None or image[1] in self.images):
            return 200, {"Id": "sha256:1", "Config": {"Env": (self.images or {}).get(image[1], [])}}
        return self._standing(plain)

    def _standing(self, plain: str) -> tuple[int, Any]:
        known = {
            "/_ping": b"OK",
            "/version": {"Version": "20.10.24", "ApiVersion": self.api, "MinAPIVersion": "1.12", "Os": "linux"},
            "/info": {"ID": ID, "OSType": "linux"},
            "/containers/json": [],
            "/networks": [],
            "/volumes": {"Volumes": []},
        }
        return (200, known[plain]) if plain in known else (404, {"message": f"No such thing: {plain}"})

    def __enter__(self) -> FakeEngine:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                engine.asked.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, found = engine.answer(self.path)
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(code)
                self.send_header("Api-Version", engine.api)
                self.send_header("Ostype", "linux")
                self.send_header("Content-Type", "text/plain" if isinstance(found, bytes) else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """The test's output is for the test."""

        self._server = ThreadingUnixStreamServer(str(self.socket), Handler)
        self._server.daemon_threads = True
        self.socket.chmod(0o666)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
