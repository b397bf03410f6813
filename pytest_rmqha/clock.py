"""The one clock: monotonic seconds, with an anchor to UTC that is taken once, when the process starts.

On Linux this is CLOCK_MONOTONIC, the same in every container of the host. With a remote engine or Docker Desktop the
containers' clock is another machine's: times from there can't be compared with ours.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

_ANCHOR = time.time() - time.monotonic()


def now() -> float:
    """Monotonic seconds."""
    return time.monotonic()


def utc(t: float) -> datetime:
    """The UTC time of a monotonic moment. A wall clock that is set during the run is not followed."""
    return datetime.fromtimestamp(_ANCHOR + t, tz=UTC)
