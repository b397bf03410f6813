"""The script that knocks at doors, run as it stands: one path without an answer must hide no open page behind another."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.gate.scenarios import SUITES


class OnlyStats(BaseHTTPRequestHandler):
    """Hangs up on every path but one."""

    def do_GET(self) -> None:
        if self.path == "/stats":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"Statistics Report")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), OnlyStats)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_path_without_an_answer_hides_no_open_page(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SUITES))
    script = importlib.import_module("plays.promises_in_peace").KNOCK
    doors = [
        [f"{scheme}://127.0.0.1:{at}{path}", ""]
        for at in (port, 1)
        for scheme in ("http", "https")
        for path in ("/", "/stats")
    ]

    said = subprocess.run(
        [sys.executable, "-c", script, json.dumps(doors)], capture_output=True, text=True, timeout=30, check=True
    )

    answers = {url: (code, is_page) for url, _, code, is_page in map(json.loads, said.stdout.splitlines())}
    assert answers[f"http://127.0.0.1:{port}/stats"] == (200, True)
    assert answers[f"http://127.0.0.1:{port}/"] == (0, False)
    assert "https://127.0.0.1:1/stats" not in answers, "nobody listens there: once is enough"
