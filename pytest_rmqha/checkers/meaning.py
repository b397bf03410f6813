"""What the words of a report mean, in one place: reports print these definitions beside the figures that use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pytest_rmqha.errors import UserInputError

GLOSSARY: Mapping[str, str] = MappingProxyType(
    {
        "attempted": "handed to the client library by a publisher of the load, with a sequence number of its own",
        "confirmed": "answered by the broker with a publisher confirm, and not returned as unroutable",
        "refused": "answered with a nack, or returned as unroutable",
        "unknown": "never answered: the connection died, or the load ended, between the attempt and the answer",
        "delivered": "arrived at a consumer of the load; written down on arrival, before it is acknowledged",
        "late": "found by a sweep of the queues after the load, not by a consumer: not lost",
        "dead-lettered": "found in a dead-letter queue: not lost",
        "owed": "kept unacknowledged by a consumer whose session died, and not come again since: lost, unless it does",
        "left over": "an arrival of what an earlier load on the same queue had published: counted for neither",
        "lost": "confirmed, and neither delivered for good (owed is not) nor late nor dead-lettered",
        "recovered": "unknown and delivered all the same",
        "duplicated": "delivered more than once; at-least-once delivery allows it, and it must carry the redelivered flag",
        "unflagged": "a repeated delivery without the redelivered flag",
        "unexpected": "delivered and never attempted",
        "out of order": "delivered after a later message of the same stream, without being flagged as redelivered",
        "stall": "a stretch of at least 0.25 s in which one client got no confirm, or no delivery",
        "served": "a new connection is opened and ready for use",
        "interruption": "a change of the VIP's sole holder, or a stretch in which it had none or several",
        "RTO": "from the moment the fault is applied to the first confirm after it",
        "RPO": "messages confirmed and lost; 0 is the promise",
        "HELD": "there is evidence, and it says that the promise was kept",
        "UNDECIDED": "there is no evidence either way: nothing happened, or we could not see it. Red, but ours",
        "BROKEN": "there is evidence that the promise was not kept",
        "promise": "holds on every stack that calls itself highly available; it alone colours a verdict on a configuration",
        "demonstration": "sets an unsafe thing itself and must see what it costs: proof that we detect a loss or an outage",
        "power cut": "SIGKILL of every broker: processes die, the page cache lives; it shows less than a real power loss",
    }
)


def meaning_of(word: str) -> str:
    """The definition of one word of the glossary, in any case."""
    for known, meaning in GLOSSARY.items():
        if known.casefold() == word.casefold():
            return meaning
    remedy = "use one of these, or define the new one in checkers/meaning.py"
    raise UserInputError("a word of the glossary", repr(word), ", ".join(GLOSSARY), remedy)


def explained(words: Iterable[str]) -> tuple[str, ...]:
    """``word: definition`` for each, in the order of the glossary and once."""
    wanted = {word.casefold() for word in words}
    for word in wanted:
        meaning_of(word)
    return tuple(f"{word}: {meaning}" for word, meaning in GLOSSARY.items() if word.casefold() in wanted)
