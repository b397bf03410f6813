"""What became of each message, in Jepsen's words (``meaning`` defines them).

Limits: a history knows what its own clients saw. A queue that nobody consumed or swept looks like loss, so let the
consumers drain, and sweep where messages may have gone elsewhere, before asking.
"""

from __future__ import annotations

from pytest_rmqha.checkers.verdict import Outcome, Verdict, runs
from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.workload.history import History

LOSS = "nothing_confirmed_is_lost"
PHANTOM = "nothing_comes_from_nowhere"
REPEAT = "repeats_say_so"


def nothing_confirmed_is_lost(history: History) -> Verdict:
    """Each confirmed message was delivered, or found late or dead-lettered. Undecided if none was confirmed."""
    attempted = sum(stream.attempted for stream in history.streams)
    confirmed = sum(stream.confirmed.count() for stream in history.streams)
    if not attempted:
        return Verdict(Outcome.UNDECIDED, LOSS, "nothing happened: no message was attempted")
    if not confirmed:
        return Verdict(Outcome.UNDECIDED, LOSS, f"nothing happened: {attempted} attempted, none confirmed")
    lost = 0
    evidence = []
    for stream in history.streams:
        missing = stream.lost
        if count := missing.count():
            lost += count
            of = stream.confirmed.count()
            evidence.append(f"{stream.name} (queue {stream.queue}): {count} of {of} confirmed: {runs(missing.ones())}")
    if lost:
        reason = f"{lost} of {confirmed} confirmed messages were lost; {_rest(history)}"
        return Verdict(Outcome.BROKEN, LOSS, reason, tuple(evidence), lost, 0)
    reason = f"0 of {confirmed} confirmed messages were lost; {_rest(history)}{_silent(history)}"
    return Verdict(Outcome.HELD, LOSS, reason, (), 0, 0)


def nothing_comes_from_nowhere(history: History) -> Verdict:
    """Each delivery is a message that was attempted. Undecided if nothing was delivered."""
    beyond = {stream.name: stream.delivered - Bitmap.first(stream.attempted) for stream in history.streams}
    phantoms = history.unexpected.count + sum(found.count() for found in beyond.values())
    delivered = sum(stream.delivered.count() - beyond[stream.name].count() for stream in history.streams)
    if phantoms:
        reason = f"{phantoms} deliveries of something that was never attempted, beside {delivered} messages that were"
        evidence = (
            *(
                f"{s.name} (queue {s.queue}): {runs(beyond[s.name].ones())}, of {s.attempted} attempted"
                for s in history.streams
                if beyond[s.name].count()
            ),
            *_examples(history.unexpected.count, history.unexpected.examples),
        )
        return Verdict(Outcome.BROKEN, PHANTOM, reason, evidence, phantoms, 0)
    if not delivered:
        return Verdict(Outcome.UNDECIDED, PHANTOM, "nothing happened: no message was delivered")
    return Verdict(Outcome.HELD, PHANTOM, f"each of {delivered} delivered messages had been attempted", (), 0, 0)


def repeats_say_so(history: History) -> Verdict:
    """Each delivery of a message after its first is marked ``redelivered``. Undecided if nothing was delivered."""
    delivered = sum(stream.delivered.count() for stream in history.streams)
    if not delivered:
        return Verdict(Outcome.UNDECIDED, REPEAT, "nothing happened: no message was delivered")
    repeated = sum(stream.repeated.count() for stream in history.streams)
    unflagged = sum(stream.unflagged.count for stream in history.streams)
    if unflagged:
        evidence = tuple(
            f"{s.name} (queue {s.queue}): {s.unflagged.count}, of messages {runs(sorted(set(s.unflagged.examples)))}"
            for s in history.streams
            if s.unflagged.count
        )
        reason = f"{unflagged} repeated deliveries without the redelivered flag; {repeated} messages came repeatedly"
        return Verdict(Outcome.BROKEN, REPEAT, reason, evidence, unflagged, 0)
    said = f"each of {repeated} repeated messages said so" if repeated else "no message came more than once"
    return Verdict(Outcome.HELD, REPEAT, f"{said}, of {delivered} delivered", (), 0, 0)


def _rest(history: History) -> str:
    streams = history.streams
    unknown = sum(stream.unknown.count() for stream in streams)
    recovered = sum(stream.recovered.count() for stream in streams)
    duplicated = sum(stream.repeated.count() for stream in streams)
    refused = sum(stream.nacked.count() + stream.returned.count() for stream in streams)
    rest = f"{unknown} unknown ({recovered} of them recovered), {refused} refused, {duplicated} duplicated"
    return rest + (f", {history.left_over} left over from an earlier load" if history.left_over else "")


def _silent(history: History) -> str:
    """Streams that prove nothing, named: a publisher cut off on purpose may well have no confirm."""
    names = [stream.name for stream in history.streams if not stream.confirmed.count()]
    return f"; no confirm at all on {', '.join(names)}" if names else ""


def _examples(count: int, examples: tuple[str, ...]) -> tuple[str, ...]:
    rest = count - len(examples)
    return (*examples, f"and {rest} more") if rest > 0 else examples
