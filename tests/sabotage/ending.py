"""A run in a process of its own that is ended softly: killed at once it would leave its whole stack behind."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE = 120.0


@dataclass(frozen=True)
class Done:
    """Exit code and everything it said. ``gave_up``: what we had to do to it, empty when it ended by itself."""

    code: int
    output: str
    gave_up: str = ""


def ended(command: Sequence[str], *, cwd: Path, output: Path, within: float, grace: float = GRACE) -> Done:
    """Run it to its end, for ``within`` seconds at most: then SIGTERM, and SIGKILL only ``grace`` seconds later.

    It has a session of its own, so that an interrupt at the keyboard reaches it once, from here. What it says goes to a
    file: children that outlive it and hold a pipe would keep us waiting.
    """
    with output.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    gave_up = ""
    try:
        process.wait(timeout=within)
    except subprocess.TimeoutExpired:
        gave_up = f"did not end within {within:g} s, {_end(process, grace)}"
    except BaseException:
        _end(process, grace)
        raise
    return Done(process.returncode, output.read_text(errors="replace"), gave_up)


def _end(process: subprocess.Popen[bytes], grace: float) -> str:
    process.terminate()
    try:
        process.wait(timeout=grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"nor within {grace:g} s after SIGTERM, and was killed: look for what it left (rmqha clean)"
    return "and ended after SIGTERM"
