"""A stack that can't be built anew ends the session, is taken down whatever else fails, and keeps the files that it began with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.errors import StackNotUp
from pytest_rmqha.preparing import MOST_REBUILDS, make_ready
from pytest_rmqha.topology import BrokerSpec, Topology


class Unbuildable:
    """As much of a stack as is asked for before a scenario; it never comes up again."""

    def __init__(self) -> None:
        self.worn, self.leases, self.failed_rebuilds, self.tried = True, 1, 0, 0

    def rebuild(self, _variant: str | None) -> None:
        self.failed_rebuilds += 1
        self.tried += 1
        raise StackNotUp("no broker came up")


def test_after_two_vain_rebuilds_nothing_more_is_judged() -> None:
    stack, marks = Unbuildable(), SimpleNamespace(fresh_cluster=False, variant=None)
    for _ in range(MOST_REBUILDS):
        with pytest.raises(StackNotUp):
            make_ready(cast(Any, stack), cast(Any, marks))

    with pytest.raises(pytest.exit.Exception, match="could not be built anew 2 times in a row") as ended:
        make_ready(cast(Any, stack), cast(Any, marks))

    assert (stack.tried, ended.value.returncode) == (2, pytest.ExitCode.TESTS_FAILED)


def test_an_interrupt_while_it_disconnects_takes_it_down_all_the_same() -> None:
    did: list[str] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    stack = SimpleNamespace(
        disconnect=interrupted,
        project=SimpleNamespace(down=lambda: did.append("down")),
        engine=SimpleNamespace(remove_helpers=lambda: did.append("helpers")),
    )

    with pytest.raises(KeyboardInterrupt):
        Stack.down(cast(Any, stack))

    assert did == ["down", "helpers"]


def test_what_is_edited_while_the_run_goes_on_is_the_next_runs(tmp_path: Path) -> None:
    topology = Topology(
        "one", (BrokerSpec("rmq1", "rmq1", "198.18.40.40"),), (), None, "198.18.40.0/24", "198.18.40.1", "s"
    )
    file = tmp_path / "rabbitmq.conf"
    file.write_text("before")
    stack = cast(Any, SimpleNamespace(topology=topology, folders=[tmp_path], own=tmp_path, variant=None, _read={}))
    first = Stack.files_of_members(stack)
    file.write_text("after")

    assert [f.content for f in Stack.files_of_members(stack)["rmq1"]] == [b"before"]
    assert Stack.files_of_members(stack) == first
