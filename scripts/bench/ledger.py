"""Ten million messages: filled as the load client does, handed over as JSON, judged as a scenario does.

Both halves run in a process of their own, because the peak of a process's memory never goes down again.
``python -m scripts.bench.ledger fill|judge FILE [CASE]`` is one of them; it answers one line of JSON.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_rmqha.checkers.availability import publishing_stalls_for_at_most
from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.ordering import order_is_kept
from pytest_rmqha.checkers.verdict import verify
from pytest_rmqha.client.ledger import Bitmap, Ledger, StreamLedger
from pytest_rmqha.client.meter import Meter
from pytest_rmqha.errors import InvariantNotUpheld
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.history import History
from scripts.bench.row import AT_MOST, Row

MESSAGES, STREAMS = 10_000_000, 5
WHOLE, HALF_LOST = "whole", "every second one lost"
CASES = (WHOLE, HALF_LOST)
MEGABYTES, LONGEST = 256, 60
ROOT = Path(__file__).resolve().parents[2]


def peak_megabytes() -> float:
    """Of this program so far. Not ru_maxrss where there is better: Linux keeps in it what the parent had before exec."""
    try:
        told = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        told = None
    return (int(told[1]) if told else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def filled(messages: int, streams: int) -> Ledger:
    """Every message attempted, confirmed and delivered, one by one through the calls that the load client makes."""
    ledger = Ledger()
    for number in range(streams):
        stream = ledger.stream(f"p.bench.{number}", f"bench.{number}")
        stream.new_channel()
        for _ in range(messages // streams):
            message = stream.attempt()
            stream.confirm(message)
            ledger.arrive(stream.name, message, False, b"", f"c.bench.{number}")
    return ledger


def half_lost(messages: int) -> Ledger:
    """One stream of which every second message is missing: as many stretches of loss as there can be."""
    ledger = Ledger()
    stream: StreamLedger = ledger.stream("p.bench", "bench")
    stream.attempted = messages
    stream.confirmed, stream.delivered = Bitmap.first(messages), Bitmap(b"\x55" * (messages // 8))
    return ledger


def fill(file: Path, case: str, messages: int = MESSAGES) -> dict[str, object]:
    began = time.monotonic()
    meter = Meter()
    meter.begin("p.bench.0", "publish")
    ledger = filled(messages, STREAMS) if case == WHOLE else half_lost(messages)
    meter.moved("p.bench.0", "publish", messages)
    time.sleep(0.01)
    meter.end("p.bench.0", "publish")
    took = time.monotonic() - began
    began = time.monotonic()
    file.write_text(json.dumps({"dump": {**ledger.dump(), **meter.dump()}}, separators=(",", ":")))
    told = {"filled_in": took, "us_a_message": took / messages * 1e6, "dumped_in": time.monotonic() - began}
    return {**told, "megabytes": peak_megabytes(), "bytes_on_the_wire": file.stat().st_size}


def judge(file: Path) -> dict[str, object]:
    began = time.monotonic()
    history = History.from_dump(json.loads(file.read_bytes())["dump"])
    read = time.monotonic() - began
    outcome = "held"
    try:
        verify(
            history,
            nothing_confirmed_is_lost,
            nothing_comes_from_nowhere,
            repeats_say_so,
            order_is_kept,
            publishing_stalls_for_at_most(seconds(3600)),
        )
    except InvariantNotUpheld:
        outcome = "broken"
    told = {"attempted": sum(s.attempted for s in history.streams), "outcome": outcome, "read_in": read}
    return {**told, "judged_in": time.monotonic() - began, "megabytes": peak_megabytes()}


def measure() -> list[Row]:
    """Two rows a case. A verdict that is not what the case must come to is an error of ours, not a number."""
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "dump.json"
            client, harness = _in_its_own("fill", file, case), _in_its_own("judge", file, case)
        expected = "held" if case == WHOLE else "broken"
        if harness["outcome"] != expected or harness["attempted"] != MESSAGES:
            raise RuntimeError(f"{case}: expected {expected} of {MESSAGES} messages, got {harness}")
        detail: dict[str, object] = {"read": _s(harness["read_in"]), "verdict": expected}
        if case == WHOLE:
            detail |= {"a message costs the load client": f"{float(str(client['us_a_message'])):.1f} µs"}
        judged, most = (float(str(harness[name])) for name in ("judged_in", "megabytes"))
        rows.append(Row(f"ten million messages judged, {case}", judged, "s", AT_MOST, LONGEST, detail))
        memory: dict[str, object] = {
            "load client": f"{float(str(client['megabytes'])):.0f} MB",
            "on the wire": f"{int(str(client['bytes_on_the_wire'])) / 1e6:.2f} MB",
        }
        rows.append(Row(f"memory of that, {case}", most, "MB", AT_MOST, MEGABYTES, memory))
    return rows


def _s(value: object) -> str:
    return f"{float(str(value)):.2f} s"


def _in_its_own(half: str, file: Path, case: str) -> dict[str, object]:
    command = [sys.executable, "-m", "scripts.bench.ledger", half, str(file), case]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        raise RuntimeError(f"{half} of {case} ended with {done.returncode}: {done.stderr[-800:]}")
    found: dict[str, object] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    half, file, case = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    print(json.dumps(fill(file, case) if half == "fill" else judge(file)))
