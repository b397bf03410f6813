"""The ledger: bits, answers, arrivals; and that a history rebuilt from its dump says the same."""

from __future__ import annotations

import json
import random

import pytest

from pytest_rmqha.client.ledger import Bitmap, Ledger, StreamLedger
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
    assert stream.confirm(0)
    assert not stream.confirm(0)
    stream.nack(1)
    stream.give_back(2)
    assert not stream.confirm(2)

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
    ledger.arrive("p", 1, False, b"p:1")
    ledger.arrive("p", 2, False, b"p:2")

    seen = dumped(ledger).streams[0]
    assert list(seen.lost.ones()) == [0]
    assert list(seen.recovered.ones()) == [2]


def test_what_is_owed_is_lost_unless_it_comes_again_or_is_found() -> None:
    ledger = Ledger("now")
    stream = ledger.stream("p", "q")
    for number in range(3):
        stream.attempt()
        stream.confirm(number)
        ledger.arrive("p", number, False, b"", "held", "now")
        ledger.hold("p", number, "held#1")
    ledger.died("held#1")
    ledger.arrive("p", 1, True, b"", "c", "now")
    ledger.swept("p", 2, b"", "now")

    seen = dumped(ledger).streams[0]
    assert list(seen.owed.ones()) == [0, 2]
    assert list(seen.lost.ones()) == list(stream.missing().ones()) == [0]


def test_an_earlier_loads_message_is_neither_an_arrival_nor_a_phantom_and_a_strange_loads_is_one() -> None:
    ledger = Ledger("now", ["before"])
    stream = ledger.stream("p", "q")
    stream.attempt()
    stream.confirm(0)
    assert not ledger.arrive("p", 0, False, b"p:0:1:before:", "c", "before")
    ledger.swept("p", 0, b"p:0:1:before:", "before")
    seen = dumped(ledger)
    assert (seen.left_over, seen.unexpected.count, seen.streams[0].lost.count()) == (2, 0, 1)

    assert not ledger.arrive("p", 0, False, b"p:0:1:strange:", "c", "strange")
    seen = dumped(ledger)
    assert (seen.unexpected.examples, seen.streams[0].lost.count()) == (("p:0:1:strange:",), 1)
    assert ledger.arrive("p", 0, False, b"p:0:1:now:", "c", "now")


def test_a_repeat_without_the_flag_is_counted_and_one_with_it_is_not() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    for _ in range(2):
        stream.attempt()
    for number, redelivered in ((0, False), (0, True), (1, False), (1, False)):
        ledger.arrive("p", number, redelivered, b"")

    seen = dumped(ledger).streams[0]
    assert seen.repeated.count() == 2
    assert (seen.unflagged.count, seen.unflagged.examples) == (1, (1,))


def test_a_republished_message_may_arrive_twice_without_blame() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    stream.attempt()
    ledger.arrive("p", 0, False, b"")
    stream.republish(0)
    ledger.arrive("p", 0, False, b"")

    seen = dumped(ledger).streams[0]
    assert seen.unflagged.count == 0
    assert list((seen.republished & seen.repeated).ones()) == [0]


def test_a_first_arrival_behind_a_later_one_is_out_of_order() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    for _ in range(3):
        stream.attempt()
    for number, redelivered in ((0, False), (2, False), (1, True), (1, False)):
        ledger.arrive("p", number, redelivered, b"")

    assert dumped(ledger).streams[0].out_of_order.examples == (1,)


def test_what_was_never_attempted_is_unexpected() -> None:
    ledger = Ledger()
    ledger.stream("p", "q").attempt()
    ledger.arrive("p", 1, False, b"p:1")
    ledger.arrive("somebody", 0, False, b"somebody:0")
    ledger.arrive("", -1, False, b"hello")

    assert dumped(ledger).unexpected.count == 3


def test_examples_are_bounded_and_the_count_is_not() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.arrive("nobody", number, False, b"%d" % number)

    seen = dumped(ledger).unexpected
    assert (seen.count, len(seen.examples)) == (100, 20)


def attempted(count: int) -> StreamLedger:
    stream = StreamLedger("p", "q")
    for _ in range(count):
        stream.attempt()
    return stream


def test_a_bitmap_agrees_with_a_set() -> None:
    chance = random.Random(7)
    one, two = ({chance.randrange(5000) for _ in range(800)} for _ in range(2))
    a, b = Bitmap.of(*one), Bitmap.of(*two)

    assert list(a.ones()) == sorted(one)
    assert a.count() == len(one)
    assert list((a & b).ones()) == sorted(one & two)
    assert list((a | b).ones()) == sorted(one | two)
    assert list((a - b).ones()) == sorted(one - two)
    assert all(a.test(n) == (n in one) for n in range(6000))


def test_bitmaps_are_equal_whatever_room_they_have() -> None:
    roomy = Bitmap.of(3)
    roomy.set(9000)

    assert roomy - Bitmap.of(9000) == Bitmap.of(3)
    assert hash(roomy - Bitmap.of(9000)) == hash(Bitmap.of(3))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000])
def test_the_first_numbers(count: int) -> None:
    assert list(Bitmap.first(count).ones()) == list(range(count))


def test_a_returned_message_that_is_then_confirmed_is_returned() -> None:
    stream = attempted(2)
    stream.give_back(0)
    stream.confirm(0)
    stream.confirm(1)

    assert list(stream.confirmed.ones()) == [1]
    assert stream.counts["confirmed"] == 1
    assert stream.counts["returned"] == 1


def test_a_second_confirm_is_not_counted_again() -> None:
    stream = attempted(1)
    stream.confirm(0)
    stream.confirm(0)

    assert stream.counts["confirmed"] == 1


def test_a_redelivery_is_in_no_order() -> None:
    stream = attempted(3)
    stream.deliver(2, redelivered=True)
    stream.deliver(0, redelivered=False)
    stream.deliver(1, redelivered=False)

    assert stream.out_of_order.count == 0


def test_the_order_is_each_consumers_own() -> None:
    stream = attempted(4)
    for number, consumer in ((0, "a"), (2, "b"), (1, "a"), (3, "b")):
        stream.deliver(number, redelivered=False, consumer=consumer)

    assert stream.out_of_order.count == 0


def test_what_a_sweep_finds_is_late_and_not_delivered() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    stream.attempt()
    ledger.swept("p", 0, b"p:0:")
    ledger.swept("p", 1, b"p:1:")

    assert list(stream.late.ones()) == [0]
    assert stream.delivered.count() == 0
    assert ledger.unexpected.examples == ["p:1:"]


def test_asking_for_a_stream_again_gives_the_same() -> None:
    ledger = Ledger()

    assert ledger.stream("p", "q") is ledger.stream("p", "another")


def test_a_dump_is_json() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    stream.confirm(stream.attempt())
    dump = json.loads(json.dumps(ledger.dump()))

    assert dump["streams"][0]["attempted"] == 1
    assert Bitmap.from_text(dump["streams"][0]["confirmed"]) == Bitmap.of(0)
    assert dump["unexpected"] == {"count": 0, "examples": []}


def test_ten_million_messages_fit_into_a_few_megabytes() -> None:
    full = Bitmap.first(10_000_000)

    assert len(full.to_text()) < 4_000_000
    assert full.count() == 10_000_000


def test_what_a_new_channel_sends_may_overtake_what_the_old_one_sent() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    stream.new_channel()
    stream.attempt()
    stream.attempt()
    stream.new_channel()
    stream.attempt()
    for number in (2, 0, 1):
        ledger.arrive("p", number, False, b"")

    assert dumped(ledger).streams[0].out_of_order.count == 0


def test_within_a_channel_nothing_may_overtake() -> None:
    ledger = Ledger()
    stream = ledger.stream("p", "q")
    stream.new_channel()
    for _ in range(3):
        stream.attempt()
    for number in (0, 2, 1):
        ledger.arrive("p", number, False, b"")

    assert dumped(ledger).streams[0].out_of_order.examples == (1,)
