"""What a scenario saw beside its history, as verdicts: a fact that had to hold, and a loss that had to be seen."""

from __future__ import annotations

from pytest_rmqha.checkers.verdict import Outcome, Verdict
from pytest_rmqha.workload.history import Stream


def observed(name: str, holds: bool, reason: str) -> Verdict:
    """HELD or BROKEN; ``reason`` says what was seen, in either case."""
    return Verdict(Outcome.HELD if holds else Outcome.BROKEN, name, reason, (), None, None)


def loss_is_seen(stream: Stream, at_least: int) -> Verdict:
    """For demonstrations: the unsafe thing must cost messages, and the ledger must see it. Undecided if none was confirmed."""
    confirmed, lost = stream.confirmed.count(), stream.lost.count()
    if not confirmed:
        return Verdict(Outcome.UNDECIDED, "loss_is_seen", "nothing happened: no message was confirmed", (), None, None)
    reason = f"{lost} of {confirmed} confirmed messages lost in {stream.queue}; at least {at_least} had to be"
    return Verdict(
        Outcome.HELD if lost >= at_least else Outcome.BROKEN, "loss_is_seen", reason, (), float(lost), float(at_least)
    )
