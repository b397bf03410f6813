"""``rmqha up`` leaves a steady stack or nothing: a SIGTERM in its bring-up counts as that, and own files are checked first."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha import readiness
from pytest_rmqha.adapters import keeping
from pytest_rmqha.commands import up
from pytest_rmqha.waiting import await_match, seconds


class Stack:
    def __init__(self, strikes: bool) -> None:
        self.strikes, self.did = strikes, list[str]()

    def up(self) -> None:
        self.did.append("up")
        if self.strikes:
            os.kill(os.getpid(), signal.SIGTERM)
            await_match(lambda: False, bool, what="the brokers", within=seconds(5))

    def checked(self, *_: object) -> list[str]:
        self.did.append("checked")
        return ["haproxy.cfg: a warning"]

    def keep(self, *_: object) -> list[str]:
        self.did.append("kept")
        return ["get in so"]

    def down(self) -> None:
        self.did.append("down")


def brought_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, strikes: bool) -> tuple[Stack, Any]:
    """(the stack, exit code or what was raised)"""
    stack = Stack(strikes)
    said: dict[str, Any] = {
        "make_stack": lambda *_: stack,
        "checked": stack.checked,
        "read_config": lambda *_: {},
        "from_compose": lambda *_: None,
    }
    for name, value in said.items():
        monkeypatch.setattr(up, name, value)
    for name in ("refuse_files", "refuse_machine"):
        monkeypatch.setattr(readiness, name, lambda *_: None)
    monkeypatch.setattr(keeping, "keep", stack.keep)
    monkeypatch.chdir(tmp_path)
    try:
        return stack, up.run_up(argparse.Namespace())
    except KeyboardInterrupt as interrupt:
        return stack, interrupt


def test_own_files_are_checked_and_the_stack_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack, code = brought_up(monkeypatch, tmp_path, strikes=False)
    assert (code, stack.did) == (0, ["checked", "up", "kept"])
    assert "preflight: haproxy.cfg: a warning" in capsys.readouterr().out


def test_a_sigterm_in_the_bring_up_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    stack, ended = brought_up(monkeypatch, tmp_path, strikes=True)
    assert isinstance(ended, KeyboardInterrupt)
    assert stack.did == ["checked", "up", "down"]
    assert signal.getsignal(signal.SIGTERM) == before
