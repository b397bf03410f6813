"""How a publisher leaves a connection: no loop ends before the broker had its chance to answer."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rmqha.client.publisher import FAREWELL, Publisher


class Connection:
    """Notes what is asked of it and of its loop; ``raises``: a connection that is closed already."""

    def __init__(self, *, is_closing: bool = False, raises: bool = False) -> None:
        self.is_closing, self.raises = is_closing, raises
        self.ioloop, self.done = self, list[Any]()

    def close(self) -> None:
        if self.raises:
            raise RuntimeError("closed")
        self.done.append("close")

    def stop(self) -> None:
        self.done.append("stop")

    def call_later(self, seconds: float, call: Any) -> None:
        self.done.append((seconds, call.__name__))


@pytest.mark.parametrize(
    ("connection", "done"),
    [
        (Connection(), ["close"]),
        (Connection(is_closing=True), [(FAREWELL, "stop")]),
        (Connection(raises=True), ["stop"]),
    ],
)
def test_a_close_that_goes_on_is_waited_for(connection: Connection, done: list[Any]) -> None:
    Publisher._close_inside(connection)
    assert connection.done == done
