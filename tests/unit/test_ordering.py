"""Order within a stream, on histories typed by hand."""

from __future__ import annotations

from pytest_rmqha.checkers.ordering import order_is_kept
from pytest_rmqha.checkers.verdict import Outcome
from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.workload.history import History, Sample, Stream


def history(delivered: int, late: tuple[int, ...] = (), count: int | None = None) -> History:
    wrong = Sample(len(late) if count is None else count, late)
    return History((Stream("p.q", "q", delivered, delivered=Bitmap.first(delivered), out_of_order=wrong),))


def test_messages_in_order_are_held() -> None:
    verdict = order_is_kept(history(5))

    assert (verdict.outcome, verdict.reason) == (Outcome.HELD, "5 messages came in the order of their stream")


def test_one_message_has_no_order() -> None:
    assert order_is_kept(history(0)).outcome is Outcome.UNDECIDED
    assert order_is_kept(history(1)).reason == "nothing to put in order: 1 messages delivered"


def test_messages_out_of_order_are_broken() -> None:
    verdict = order_is_kept(history(90, late=(4, 3, 5), count=30))

    assert (verdict.outcome, verdict.measured, verdict.budget) == (Outcome.BROKEN, 30, 0)
    assert verdict.reason == "30 of 90 messages came after a later one of their stream"
    assert verdict.evidence == ("p.q (queue q): 30 came late, among them 3–5",)
