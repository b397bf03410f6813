"""The ledger: bits, answers, arrivals; and that a history rebuilt from its dump says the same."""

from __future__ import annotations

from pytest_rmqha.client.ledger import Bitmap, Ledger
from pytest_rmqha.workload.history import History


def dumped(ledger: Ledger) -> History:
    empty = {"gaps": [], "connects": [], "rates": {"publish": [], "deliver": []}, "latency": {}, "window": [0.0, 1.0]}
    return History.from_dump({**ledger.dump(), **empty})


def test_a_bitmap_knows_its_numbers_and_survives_its_text() -> None:
    bits = Bitmap.of(0, 7, 8, 100_000)
    assert list(Bitmap.from_text(bits.to_text()).ones()) == [0, 7, 8, 100_000]
    assert bits.count() == 4
    assert bits.test(8)
    assert not bits.test(9)
    assert not bits.test(10**9)


def test_bitmaps_of_different_lengths_subtract_and_meet() -> None:
    assert list((Bitmap.first(10) - Bitmap.of(3, 500)).ones()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert list((Bitmap.of(1, 500) & Bitmap.first(10)).ones()) == [1]
    assert Bitmap.of(1) == Bitmap.of(1)
    assert Bitmap.of(5) - Bitmap.of(5) == Bitmap()


def test_each_attempt_ends_as_confirmed_nacked_returned_or_unknown() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    for _ in range(5):
        stream.attempt()
    stream.confirm(0)
    stream.nack(1)
    stream.give_back(2)
    stream.confirm(2)

    seen = dumped(ledger).streams[0]
    assert (seen.attempted, list(seen.confirmed.ones()), list(seen.nacked.ones())) == (5, [0], [1])
    assert list(seen.returned.ones()) == [2]
    assert list(seen.unknown.ones()) == [3, 4]


def test_a_confirmed_message_that_never_arrives_is_lost_and_an_unknown_one_that_does_is_recovered() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    for _ in range(3):
        stream.attempt()
    stream.confirm(0)
    stream.confirm(1)
    ledger.arrive("p", 1, False, "p:1")
    ledger.arrive("p", 2, False, "p:2")

    seen = dumped(ledger).streams[0]
    assert list(seen.lost.ones()) == [0]
    assert list(seen.recovered.ones()) == [2]


def test_a_repeat_without_the_flag_is_counted_and_one_with_it_is_not() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    for _ in range(2):
        stream.attempt()
    for number, redelivered in ((0, False), (0, True), (1, False), (1, False)):
        ledger.arrive("p", number, redelivered, "")

    seen = dumped(ledger).streams[0]
    assert seen.repeated.count() == 2
    assert (seen.unflagged.count, seen.unflagged.examples) == (1, (1,))


def test_a_republished_message_may_arrive_twice_without_blame() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    stream.attempt()
    ledger.arrive("p", 0, False, "")
    stream.republish(0)
    ledger.arrive("p", 0, False, "")

    seen = dumped(ledger).streams[0]
    assert seen.unflagged.count == 0
    assert list((seen.republished & seen.repeated).ones()) == [0]


def test_a_first_arrival_behind_a_later_one_is_out_of_order() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    for _ in range(3):
        stream.attempt()
    for number, redelivered in ((0, False), (2, False), (1, True), (1, False)):
        ledger.arrive("p", number, redelivered, "")

    assert dumped(ledger).streams[0].out_of_order.examples == (1,)


def test_what_was_never_attempted_is_unexpected() -> None:
    ledger = Ledger()
    ledger.stream("p", "q").attempt()
    ledger.arrive("p", 1, False, "p:1")
    ledger.arrive("somebody", 0, False, "somebody:0")
    ledger.arrive("", -1, False, "hello")

    assert dumped(ledger).unexpected.count == 3


def test_examples_are_bounded_and_the_count_is_not() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.arrive("nobody", number, False, str(number))

    seen = dumped(ledger).unexpected
    assert (seen.count, len(seen.examples)) == (100, 20)
