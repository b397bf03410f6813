"""JSON lines: requests from standard input, answers and events on standard output; one writer at a time."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()


def send(message: dict[str, Any]) -> None:
    line = json.dumps(message, separators=(",", ":"))
    with _lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def event(kind: str, role: str, **data: Any) -> None:
    send({"event": kind, "at": time.monotonic(), "role": role, **data})


def requests() -> Iterator[dict[str, Any]]:
    """Each request in turn; ends with the stream. A line that is not a JSON object is answered and passed over."""
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            request = json.loads(line)
            request["do"], request["id"]
        except (ValueError, KeyError, TypeError):
            send({"id": 0, "ok": False, "error": f"not a request: {line.strip()[:80]}"})
            continue
        yield request
