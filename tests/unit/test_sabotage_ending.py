"""How the sabotage tests end an inner run: by itself, after SIGTERM, and killed only when nothing else helps."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sabotage.ending import Done, ended

TEARS_DOWN = """
import signal, sys, time
def stop(*_):
    print("torn down", flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, stop)
print("runs", flush=True)
time.sleep(60)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("runs", flush=True)
time.sleep(60)
"""


def run(program: str, place: Path, within: float, grace: float = 5) -> Done:
    return ended(
        [sys.executable, "-S", "-c", program], cwd=place, output=place / "output.txt", within=within, grace=grace
    )


def test_one_that_ends_by_itself_is_left_alone(tmp_path: Path) -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = run(program, tmp_path, within=20)
    assert (done.code, done.gave_up, sorted(done.output.split())) == (3, "", ["err", "out"])


def test_one_that_takes_too_long_is_asked_to_end_and_may_tear_down(tmp_path: Path) -> None:
    done = run(TEARS_DOWN, tmp_path, within=3, grace=20)
    assert done.gave_up == "did not end within 3 s, and ended after SIGTERM"
    assert (done.code, done.output) == (5, "runs\ntorn down\n")


def test_one_that_does_not_listen_is_killed_after_the_grace_and_not_before(tmp_path: Path) -> None:
    began = time.monotonic()
    done = run(DEAF, tmp_path, within=3, grace=0.5)
    assert time.monotonic() - began >= 3.5
    assert "nor within 0.5 s after SIGTERM, and was killed" in done.gave_up
    assert done.code < 0


def test_children_that_outlive_it_keep_nobody_waiting(tmp_path: Path) -> None:
    program = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(8)']).pid)"
    began = time.monotonic()
    run(program, tmp_path, within=20)
    assert time.monotonic() - began < 7


def test_when_we_are_interrupted_it_is_ended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = subprocess.Popen.wait
    tried: list[float | None] = []

    def interrupted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        tried.append(timeout)
        if len(tried) == 1:
            raise KeyboardInterrupt
        return waits(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("import time; time.sleep(60)", tmp_path, within=20)
    assert len(tried) >= 2
