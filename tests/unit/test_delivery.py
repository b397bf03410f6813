"""Loss, phantoms and repeats, on histories typed by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest

from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.observed import loss_is_seen
from pytest_rmqha.checkers.verdict import Outcome
from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.workload.history import History, Sample, Stream


def stream(
    name: str = "p.q",
    attempted: int = 0,
    *,
    confirmed: Iterable[int] = (),
    delivered: Iterable[int] = (),
    nacked: Iterable[int] = (),
    returned: Iterable[int] = (),
    repeated: Iterable[int] = (),
    unflagged: tuple[int, ...] = (),
) -> Stream:
    return Stream(
        name,
        name.removeprefix("p."),
        attempted,
        confirmed=Bitmap.of(*confirmed),
        nacked=Bitmap.of(*nacked),
        returned=Bitmap.of(*returned),
        delivered=Bitmap.of(*delivered),
        repeated=Bitmap.of(*repeated),
        unflagged=Sample(len(unflagged), unflagged),
    )


def history(*streams: Stream, phantoms: int = 0) -> History:
    examples = tuple(f"q: m{n}" for n in range(min(phantoms, 20)))
    return History(streams, unexpected=Sample(phantoms, examples), window=(0.0, 10.0))


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        ((), "nothing happened: no message was attempted"),
        ((stream(),), "nothing happened: no message was attempted"),
        ((stream(attempted=5, nacked=range(5)),), "nothing happened: 5 attempted, none confirmed"),
    ],
)
def test_without_a_confirm_loss_is_undecided(streams: tuple[Stream, ...], reason: str) -> None:
    verdict = nothing_confirmed_is_lost(history(*streams))

    assert (verdict.outcome, verdict.reason) == (Outcome.UNDECIDED, reason)


def test_each_confirmed_and_delivered_is_held_and_the_rest_is_counted() -> None:
    load = stream(attempted=10, confirmed=range(6), delivered=[*range(6), 7], nacked=[8], returned=[9], repeated=[2, 3])

    verdict = nothing_confirmed_is_lost(history(load))
    assert verdict.outcome is Outcome.HELD
    assert verdict.reason == (
        "0 of 6 confirmed messages were lost; 2 unknown (1 of them recovered), 2 refused, 2 duplicated"
    )
    assert (verdict.measured, verdict.budget) == (0, 0)


def test_a_confirmed_message_that_never_came_is_lost() -> None:
    verdict = nothing_confirmed_is_lost(
        history(
            stream("p.ha", 10, confirmed=range(10), delivered=[0, 1, 5, 6, 7, 8]),
            stream("p.qq", 4, confirmed=range(4), delivered=range(4)),
        )
    )

    assert verdict.outcome is Outcome.BROKEN
    assert verdict.reason.startswith("4 of 14 confirmed messages were lost")
    assert verdict.evidence == ("p.ha (queue ha): 4 of 10 confirmed: 2–4, 9",)
    assert verdict.measured == 4


def test_what_a_sweep_finds_late_is_not_lost() -> None:
    def load(*late: int) -> Stream:
        found = stream(attempted=3, confirmed=range(3), delivered=[0])
        return dataclasses.replace(found, late=Bitmap.of(*late))

    assert nothing_confirmed_is_lost(history(load(1, 2))).outcome is Outcome.HELD
    assert nothing_confirmed_is_lost(history(load(1))).measured == 1
    assert loss_is_seen(load(1, 2), at_least=1).outcome is Outcome.BROKEN, "a demonstration saw no loss"


def test_a_stream_without_a_confirm_beside_others_is_named() -> None:
    verdict = nothing_confirmed_is_lost(
        history(
            stream("p.a", 2, confirmed=[0, 1], delivered=[0, 1]),
            stream("p.minority", 3),
        )
    )

    assert verdict.outcome is Outcome.HELD
    assert verdict.reason.endswith("; no confirm at all on p.minority")


def test_phantoms_are_broken_with_bounded_evidence() -> None:
    verdict = nothing_comes_from_nowhere(history(stream(attempted=2, delivered=[0, 1]), phantoms=25))

    assert verdict.outcome is Outcome.BROKEN
    assert verdict.reason == "25 deliveries of something that was never attempted, beside 2 messages that were"
    assert verdict.evidence == (*(f"q: m{n}" for n in range(20)), "and 5 more")


def test_a_delivery_beyond_what_was_attempted_is_a_phantom() -> None:
    verdict = nothing_comes_from_nowhere(history(stream(attempted=2, delivered=[0, 1, 7])))

    assert (verdict.outcome, verdict.measured) == (Outcome.BROKEN, 1)
    assert verdict.evidence == ("p.q (queue q): 7, of 2 attempted",)


@pytest.mark.parametrize("checker", [nothing_comes_from_nowhere, repeats_say_so])
def test_without_a_delivery_these_are_undecided(checker: type) -> None:
    verdict = checker(history(stream(attempted=4, confirmed=range(4))))

    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "nothing happened: no message was delivered"


def test_deliveries_that_were_attempted_are_held() -> None:
    assert nothing_comes_from_nowhere(history(stream(attempted=2, delivered=[0, 1]))).outcome is Outcome.HELD


def test_repeats_with_and_without_the_flag() -> None:
    flagged = repeats_say_so(history(stream(attempted=9, delivered=range(9), repeated=[3, 4])))
    none = repeats_say_so(history(stream(attempted=9, delivered=range(9))))
    unflagged = repeats_say_so(history(stream(attempted=9, delivered=range(9), repeated=[3, 4, 7], unflagged=(3, 4))))

    assert (flagged.outcome, flagged.reason) == (Outcome.HELD, "each of 2 repeated messages said so, of 9 delivered")
    assert (none.outcome, none.reason) == (Outcome.HELD, "no message came more than once, of 9 delivered")
    assert (unflagged.outcome, unflagged.measured) == (Outcome.BROKEN, 2)
    assert unflagged.evidence == ("p.q (queue q): 2, of messages 3–4",)
