"""What reaches the screen: plain lines without carriage returns, or one line that is wiped before anybody else writes."""

from __future__ import annotations

import os
import pty
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha.display import WIPE, Display
from pytest_rmqha.live import is_terminal


class Screen:
    """The other end of a pipe or a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        self._read, self.write = pty.openpty() if terminal else os.pipe()
        os.set_blocking(self._read, False)
        self.text = ""

    def seen(self) -> str:
        try:
            while part := os.read(self._read, 65536):
                self.text += part.decode()
        except OSError:
            pass
        return self.text

    def until(self, true: Callable[[str], object]) -> str:
        deadline = time.monotonic() + 5
        while not true(self.seen()):
            assert time.monotonic() < deadline, f"on the screen: {self.text!r}"
            time.sleep(0.005)
        return self.text


def status(line: str = "[1/3 N1] fault seen") -> Any:
    return SimpleNamespace(line=lambda _width: line, begin=lambda _n: None, end=lambda _n: None)


@pytest.fixture
def shown() -> Iterator[Callable[..., tuple[Display, Screen]]]:
    started: list[Display] = []

    def start(*, terminal: bool, line: str = "[1/3 N1] fault seen") -> tuple[Display, Screen]:
        screen = Screen(terminal=terminal)
        display = Display(status(line), screen.write, terminal=terminal, every=0.02)
        display.start()
        started.append(display)
        return display, screen

    yield start
    for display in started:
        display.stop()


Shown = Callable[..., tuple[Display, Screen]]


def test_without_a_terminal_plain_lines_on_lines_of_their_own(shown: Shown) -> None:
    display, screen = shown(terminal=False)
    with display.showing():
        text = screen.until(lambda text: text.count("fault seen") >= 2)
    assert "\r" not in text and "\x1b" not in text
    first, *lines = text.splitlines()
    assert first == ""
    assert all(line.startswith("rmqha ") and line.endswith("Z [1/3 N1] fault seen") for line in lines)


def test_nothing_is_shown_outside_of_a_tests_phases(shown: Shown) -> None:
    display, screen = shown(terminal=False)
    time.sleep(0.1)
    assert screen.seen() == ""
    with display.showing():
        screen.until(bool)
    before = len(screen.seen())
    time.sleep(0.1)
    assert len(screen.seen()) == before


def test_on_a_terminal_one_line_that_is_wiped(shown: Shown) -> None:
    display, screen = shown(terminal=True)
    with display.showing():
        screen.until(lambda text: text.count("fault seen") >= 2)
    text = screen.until(lambda text: text.endswith(WIPE))
    drawn = text.removesuffix(WIPE).split("\x1bD\x1b[A")[1:]
    # the cursor is saved, a line further down is written, and the cursor is where it was
    assert all(one.startswith("\x1b7\r") and one.endswith("\x1b[K\x1b8") for one in drawn)


def test_a_long_line_is_cut_to_the_width(shown: Shown) -> None:
    display, screen = shown(terminal=True, line="x" * 500)
    with display.showing():
        text = screen.until(lambda text: "\x1b8" in text)
    assert "x" * 77 + "…" in text
    assert "x" * 80 not in text


def test_while_somebody_debugs_nothing_is_shown(shown: Shown) -> None:
    display, screen = shown(terminal=True)
    with display.showing():
        screen.until(bool)
        display.pytest_enter_pdb()
        before = len(screen.until(lambda text: text.endswith(WIPE)))
        time.sleep(0.1)
        assert len(screen.seen()) == before
        display.pytest_leave_pdb()
        screen.until(lambda text: len(text) > before)


def test_a_screen_that_is_gone_harms_nobody(shown: Shown) -> None:
    display, screen = shown(terminal=False)
    os.close(screen.write)
    with display.showing():
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("options", "ini", "environment", "drawn"),
    [
        ({}, False, {"TERM": "xterm"}, True),
        ({}, False, {"TERM": "xterm", "CI": "false"}, True),
        ({}, False, {"TERM": "xterm", "CI": "true"}, False),
        ({}, False, {"TERM": "dumb"}, False),
        ({}, False, {}, False),
        ({"capture": "no"}, False, {"TERM": "xterm"}, False),
        ({"log_cli_level": "INFO"}, False, {"TERM": "xterm"}, False),
        ({}, True, {"TERM": "xterm"}, False),
    ],
)
def test_where_a_line_may_be_drawn(
    options: dict[str, str], ini: bool, environment: dict[str, str], drawn: bool
) -> None:
    config: Any = SimpleNamespace(getoption=options.get, getini=lambda _name: ini)
    terminal, pipe = Screen(terminal=True), Screen(terminal=False)
    assert is_terminal(terminal.write, config, environment) is drawn
    assert not is_terminal(pipe.write, config, environment)
