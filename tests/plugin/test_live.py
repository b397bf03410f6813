"""The live status in real sessions: on a terminal, in a pipe, and where it has no place."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from tests.plugin.conftest import Session, installed

SLOW = """
import time
from pytest_rmqha import live
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import await_match, seconds

@pytest.mark.rmq_scenario("N1")
def test_it(request):
    timeline = Timeline()
    live.follow(request.config, timeline)
    live.rates_from(request.config, lambda: "300/s confirmed")
    timeline.add("fault.seen", "SIGKILL rmq3")
    print("said by the test")
    until = time.monotonic() + 1.2
    await_match(time.monotonic, lambda now: now > until, what="a leader", within=seconds(20))
    holds()

@pytest.mark.rmq_scenario("N2")
def test_next(): holds()

def test_other(): pass
"""
FAST = "\nfrom pytest_rmqha import display\ndisplay.HEARTBEAT = 0.3\n"


@pytest.fixture
def fast(session: Session, pytester: pytest.Pytester) -> Session:
    """Heartbeats every 0.3 s."""
    session()
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + FAST)
    return session


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_in_a_pipe_plain_lines(fast: Session, capture: str) -> None:
    result = fast(SLOW, f"--capture={capture}")

    assert result.ret == pytest.ExitCode.OK
    phase = r"rmqha \d\d:\d\d:\d\dZ \[1/2 N1\] fault seen in effect: SIGKILL rmq3"
    result.stdout.re_match_lines(
        [rf"{phase} \| awaits a leader, \d+ s left \| 300/s confirmed \| session: about \d+ (s|min) left$"]
    )
    text = "\n".join(result.outlines)
    assert "\r" not in text and "\x1b" not in text
    result.assert_outcomes(passed=3)


def test_what_a_test_prints_is_captured_as_ever(fast: Session) -> None:
    body = SLOW.replace("    holds()\n", "    broken()\n", 1)
    result = fast(body)
    result.stdout.fnmatch_lines(["*Captured stdout call*", "said by the test"])
    captured = result.stdout.str().split("Captured stdout call")[1].split("RabbitMQ HA verdict")[0]
    assert "awaits" not in captured


@pytest.mark.parametrize("options", [["-p", "no:terminal"], ["-qq"], ["--rmq-plan"]])
def test_where_it_has_no_place(fast: Session, options: list[str]) -> None:
    assert "awaits" not in fast(SLOW, *options).stdout.str()


def test_with_workers_nothing_is_shown(fast: Session) -> None:
    result = fast(SLOW, "-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "awaits" not in result.stdout.str()


def on_a_terminal(pytester: pytest.Pytester, *options: str) -> str:
    """A session whose output is a terminal; everything that reached it."""
    master, slave = pty.openpty()
    plugin = [] if installed() else ["-p", "pytest_rmqha.plugin"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *options]
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    with subprocess.Popen(
        command,
        cwd=pytester.path,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**inherited, "TERM": "xterm"},
    ) as process:
        os.close(slave)
        text = b""
        try:
            while part := os.read(master, 65536):
                text += part
        except OSError:
            pass  # the last one has left the terminal
        os.close(master)
    assert process.returncode == 0, text.decode()
    return text.decode()


def test_on_a_terminal_one_line_below_the_reporters(session: Session, pytester: pytest.Pytester) -> None:
    session(SLOW)
    text = on_a_terminal(pytester)
    assert re.search(r"\x1b7\r\r\n\[1/2 N1\] fault seen in[^|]*… \| awaits a leader, \d+ s left \| .* s left", text)
    assert text.rindex("\x1b[J") > text.rindex("\x1b8")
    assert "rmqha 1" not in text and "said by the test" not in text


def test_a_terminal_that_tests_write_to_gets_plain_lines(fast: Session, pytester: pytest.Pytester) -> None:
    fast(SLOW)
    text = on_a_terminal(pytester, "-s")
    assert "Z [1/2 N1] fault seen in effect" in text
    assert "\x1b7" not in text
