"""What the load client says of its progress once a second."""

from __future__ import annotations

from pytest_rmqha.client import teller
from pytest_rmqha.client.ledger import Ledger


def test_all_streams_are_told_together() -> None:
    ledger = Ledger()
    for name, confirmed, delivered in (("a", 3, 2), ("b", 4, 4)):
        ledger.stream(name, "q").counts.update(confirmed=confirmed, delivered=delivered)

    assert teller.told(ledger) == (7, 6)


def test_an_empty_ledger_has_nothing() -> None:
    assert teller.told(Ledger()) == (0, 0)
