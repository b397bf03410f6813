"""The stack made what a scenario's markers say, before it is leased."""

from __future__ import annotations

import pytest

from pytest_rmqha.adapters import variants
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.markers import Marks

MOST_REBUILDS = 2


def make_ready(stack: Stack, marks: Marks) -> None:
    """A new cluster where the scenario asks for one or the old one can't be healed, and the variant that it asks for."""
    if stack.failed_rebuilds >= MOST_REBUILDS:
        pytest.exit(
            f"the stack could not be built anew {MOST_REBUILDS} times in a row: nothing more can be judged",
            returncode=pytest.ExitCode.TESTS_FAILED,
        )
    if stack.worn or (marks.fresh_cluster and stack.leases):
        stack.rebuild(marks.variant)
    else:
        variants.enter(stack, marks.variant)
