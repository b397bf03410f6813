"""``python3 -m rmqha_client``: answers one request after the other until ``bye``, the end of its input or SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from . import teller
from .session import Session
from .wire import requests, send


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    session = Session()
    teller.start(lambda: session.ledger)
    for request in requests():
        if request["do"] == "bye":
            send({"id": request["id"], "ok": True})
            os._exit(0)
        send({"id": request["id"], **_answer(session, request)})
    os._exit(0)


def _answer(session: Session, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": True, **session.do(str(request["do"]), request)}
    except Exception as error:
        print(f"{request['do']}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
