"""Says once a second how far the load has come: for a status line, never for a verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .ledger import Ledger
from .wire import event

EVERY = 1.0


def told(ledger: Ledger) -> tuple[int, int]:
    """(confirmed, delivered) of all streams."""
    streams = list(ledger.streams.values())
    return sum(s.counts["confirmed"] for s in streams), sum(s.counts["delivered"] for s in streams)


def start(ledger: Callable[[], Ledger]) -> None:
    """``ledger`` gives the one of the load that runs now; nothing is said while it has no stream. Ends with the process."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(EVERY):
            if ledger().streams:
                confirmed, delivered = told(ledger())
                event("load", "load", confirmed=confirmed, delivered=delivered)

    threading.Thread(target=tell, name="teller", daemon=True).start()
