"""Plants defects below the checkers: in the engine's adapter, in the proxies' adapter, in the client, on the stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_rmqha.adapters.engine import FileToPut

MARK = "/run/rmqha/sabotage"


@pytest.fixture
def in_the_client(rmq_stack: Any) -> Iterator[Callable[[str], None]]:
    """``in_the_client("lose-one")`` plants one of client/sabotage.py's defects until the test has ended."""

    def plant(name: str) -> None:
        rmq_stack.engine.put("rmqha-client", [FileToPut(MARK, name.encode())])

    yield plant
    if rmq_stack.engine.state("rmqha-client") == "running":
        rmq_stack.engine.must("rmqha-client", "rm", "-f", MARK)


@contextmanager
def replaced(target: Any, name: str, by: Any) -> Iterator[None]:
    before = getattr(target, name)
    setattr(target, name, by)
    try:
        yield
    finally:
        setattr(target, name, before)
