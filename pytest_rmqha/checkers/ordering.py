"""The order of deliveries within one stream.

Limits: what is flagged as redelivered, or was published again by the load, is left out (a requeued message comes back
late by design). The order is what all consumers of the queue saw together: with two consumers on one queue it proves
nothing about the broker.
"""

from __future__ import annotations

from pytest_rmqha.checkers.verdict import Outcome, Verdict, runs
from pytest_rmqha.workload.history import History, Stream

ORDER = "order_is_kept"


def order_is_kept(history: History) -> Verdict:
    """No message arrives, unflagged, after a later one of its stream. Undecided if fewer than two came."""
    delivered = [stream.delivered.count() for stream in history.streams]
    if max(delivered, default=0) < 2:
        return Verdict(Outcome.UNDECIDED, ORDER, f"nothing to put in order: {sum(delivered)} messages delivered")
    wrong = sum(stream.out_of_order.count for stream in history.streams)
    if not wrong:
        return Verdict(Outcome.HELD, ORDER, f"{sum(delivered)} messages came in the order of their stream", (), 0, 0)
    evidence = tuple(
        f"{s.name} (queue {s.queue}): {s.out_of_order.count} came late, among them {_examples(s)}"
        for s in history.streams
        if s.out_of_order.count
    )
    reason = f"{wrong} of {sum(delivered)} messages came after a later one of their stream"
    return Verdict(Outcome.BROKEN, ORDER, reason, evidence, wrong, 0)


def _examples(stream: Stream) -> str:
    return runs(sorted(set(stream.out_of_order.examples)))
