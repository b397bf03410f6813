"""What becomes of the stack at the end of a session: it is taken down, or it stays."""

from __future__ import annotations

import contextlib

from pytest_rmqha.adapters import keeping, variants
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.session_report import Run
from pytest_rmqha.settings import Settings


def leave_or_keep(stack: Stack, settings: Settings, run: Run, *, is_up: bool, failed: bool) -> None:
    """A reused stack stays, also one that was refused; a stack of ours that was never up is not kept: nobody could get in."""
    if settings.reuse and not is_up:
        stack.disconnect()
    elif is_up and (settings.reuse or settings.keep == "always" or (settings.keep == "on-failure" and failed)):
        # One that is too broken for it is kept as it is: attach looks at its files.
        with contextlib.suppress(HarnessError):
            variants.enter(stack, None)
        run.facts["kept"] = keeping.keep(stack)
    else:
        stack.down()
