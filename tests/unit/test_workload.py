"""The load's rules on a client of dictionaries: no beginning and no end without progress, and late is not lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_rmqha.errors import InvariantNotUpheld, NoVerdict, ToolFailed
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.workload import Access, NoProgress, Workload
from tests.unit.fakes import FakeClient, Hands

ACCESS = Access("192.0.2.100", "u", "secret", "mine")


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands(stride=1)
    hands.hold(monkeypatch, "workload.workload")
    return hands


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


def load(client: FakeClient, *queues: str, **options: Any) -> Workload:
    return Workload(client, Timeline(), ACCESS, queues or ("q",), **options)


# from beginning to end


def test_a_load_begins_moves_and_ends_in_this_order(client: FakeClient, hands: Hands) -> None:
    workload = load(client, "q", "r")

    with workload.running():
        client.asked.append(("— body —", {}))

    assert client.verbs == [
        *("reset", "open", "idle", "probe"),
        *("consume", "consume", "consume", "publish", "publish"),
        "— body —",
        *("release", "stop", "stop", "drain", "stop", "dump"),
    ]
    assert client.arguments("consume")[-1] == {"role": "held", "queue": "q", "hold": True, "prefetch": 5}
    assert client.arguments("stop") == [{"stream": "p.q"}, {"stream": "p.r"}, {"role": "*"}]
    assert [stream.name for stream in workload.history.streams] == ["p.q", "p.r"]


def test_the_target_and_the_pace_are_handed_on(client: FakeClient, hands: Hands) -> None:
    with load(client, rate=20, window=7, patience=12.0).running():
        pass

    assert client.arguments("open") == [
        {"host": "192.0.2.100", "port": 5672, "user": "u", "password": "secret", "vhost": "mine", "heartbeat": 20}
    ]
    assert client.arguments("publish") == [{"stream": "p.q", "queue": "q", "rate": 20, "window": 7, "patience": 12.0}]


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(ACCESS)


def test_without_consumers_nothing_is_consumed_awaited_or_drained(client: FakeClient, hands: Hands) -> None:
    client.steps["p.q"] = (1, 0)

    with load(client, quiet_clients=False).running(consume=False):
        pass

    assert client.verbs == ["reset", "open", "publish", "stop", "stop", "dump"]


def test_there_is_no_history_before_the_end(client: FakeClient, hands: Hands) -> None:
    workload = load(client)

    with pytest.raises(NoVerdict, match="the load has not ended yet"):
        _ = workload.history
    with workload.running(), pytest.raises(NoVerdict, match="the load has not ended yet"):
        _ = workload.history


def test_a_second_run_forgets_the_first(client: FakeClient, hands: Hands) -> None:
    workload = load(client)
    with workload.running():
        pass

    with workload.running(), pytest.raises(NoVerdict):
        _ = workload.history
    assert client.verbs.count("reset") == 2


def test_what_was_published_before_stays_in_the_ledger(client: FakeClient, hands: Hands) -> None:
    workload = load(client)
    workload.prepare()
    workload.publish_some("q", 3, stream="before")

    with workload.running():
        pass

    assert client.verbs.count("reset") == 1
    assert {stream.name for stream in workload.history.streams} == {"before", "p.q"}


# no progress


@pytest.mark.parametrize(
    ("steps", "told"), [((0, 0), "0 new confirms, 0 new deliveries"), ((1, 0), "0 new deliveries")]
)
def test_a_load_that_does_not_move_does_not_begin(
    client: FakeClient, hands: Hands, steps: tuple[int, int], told: str
) -> None:
    client.steps["p.r"] = steps

    with (
        pytest.raises(NoProgress, match=rf"waited in vain for progress.*p\.r: .*{told}") as caught,
        load(client, "q", "r").running(),
    ):
        pytest.fail("the body must not run")

    assert "p.q" not in str(caught.value)
    assert hands.at - 100 == pytest.approx(20)


def test_a_load_that_stands_still_does_not_end(client: FakeClient, hands: Hands) -> None:
    workload = load(client)

    with pytest.raises(NoProgress, match="progress"), workload.running(progress_within=seconds(30)):
        client.steps["p.q"] = (0, 0)

    assert hands.at - 100 == pytest.approx(30)
    assert "dump" in client.verbs, "what there is of the history belongs into the report of a red verdict"


def test_a_load_that_moves_again_in_time_ends(client: FakeClient, hands: Hands) -> None:
    workload = load(client)

    def recover() -> None:
        if hands.at > 115:
            client.steps["p.q"] = (1, 1)

    hands.then = recover
    with workload.running():
        client.steps["p.q"] = (0, 0)

    assert workload.history.streams


def test_progress_can_be_asked_of_some_streams(client: FakeClient, hands: Hands) -> None:
    workload = load(client, "q", "r")

    with workload.running():
        client.steps["p.r"] = (0, 0)
        workload.await_progress(within=seconds(5), streams=["p.q"])
        with pytest.raises(NoProgress, match=r"p\.r"):
            workload.await_progress(within=seconds(5), streams=["p.r"])
        with pytest.raises(NoProgress, match=r"p\.unknown: 0 new confirms"):
            workload.await_progress(within=seconds(5), streams=["p.unknown"])
        client.steps.clear()


def test_standing_still_is_no_verdict() -> None:
    assert issubclass(NoProgress, NoVerdict)
    assert not issubclass(NoProgress, AssertionError)


# whose standstill it is


def test_a_load_that_tries_and_gets_no_confirm_is_a_broken_promise(client: FakeClient, hands: Hands) -> None:
    workload = load(client)

    with (
        pytest.raises(InvariantNotUpheld, match=r"clients are not served: p\.q has 7 messages without an answer"),
        workload.running(),
    ):
        client.steps["p.q"], client.unanswered["p.q"] = (0, 0), 7
        workload.await_progress(within=seconds(5))


def test_a_load_whose_messages_are_all_refused_is_a_broken_promise(client: FakeClient, hands: Hands) -> None:
    workload = load(client)

    def refuse() -> None:
        client.counts["p.q"]["nacked"] = client.counts["p.q"].get("nacked", 0) + 1

    with (
        pytest.raises(
            InvariantNotUpheld, match=r"clients are not served: p\.q had \d+ messages refused and none confirmed"
        ),
        workload.running(),
    ):
        client.steps["p.q"] = (0, 0)
        hands.then = refuse
        workload.await_progress(within=seconds(5))


def test_a_load_that_gets_no_connection_is_a_broken_promise_at_the_end_too(client: FakeClient, hands: Hands) -> None:
    with (
        pytest.raises(InvariantNotUpheld, match=r"clients are not served: p\.q gets no connection"),
        load(client).running(progress_within=seconds(5)),
    ):
        client.steps["p.q"] = (0, 0)
        client.disconnected.add("p.q")
    assert "dump" in client.verbs


def test_a_load_that_was_never_served_proves_nothing_about_the_stack(client: FakeClient, hands: Hands) -> None:
    client.steps["p.q"] = (0, 0)
    client.disconnected.add("p.q")

    with pytest.raises(NoProgress), load(client).running():
        pytest.fail("the body must not run")


def test_a_publisher_that_ended_by_itself_is_ours(client: FakeClient, hands: Hands) -> None:
    with pytest.raises(NoProgress, match="0 new confirms"), load(client).running(progress_within=seconds(5)):
        client.steps["p.q"] = (0, 0)
        client.disconnected.add("p.q")
        client.ended.add("p.q")


def test_deliveries_that_stop_while_confirms_go_on_are_no_verdict(client: FakeClient, hands: Hands) -> None:
    with pytest.raises(NoProgress, match="0 new deliveries"), load(client).running(progress_within=seconds(5)):
        client.steps["p.q"], client.unanswered["p.q"] = (1, 0), 3


# a body that fails


def test_a_body_that_fails_still_leaves_its_history(client: FakeClient, hands: Hands) -> None:
    workload = load(client)

    with pytest.raises(InvariantNotUpheld, match="two leaders"), workload.running():
        raise InvariantNotUpheld("two leaders")

    assert workload.history.streams
    assert client.arguments("drain")[0]["for"] == 5


def test_a_client_that_is_gone_hides_no_error_of_the_body(client: FakeClient, hands: Hands) -> None:
    workload = load(client)

    with pytest.raises(InvariantNotUpheld, match="two leaders"), workload.running():
        client.fails["dump"] = ToolFailed("the load client is gone")
        raise InvariantNotUpheld("two leaders")

    with pytest.raises(NoVerdict):
        _ = workload.history


def test_a_client_that_is_gone_at_the_end_is_an_error(client: FakeClient, hands: Hands) -> None:
    with pytest.raises(ToolFailed, match="gone"), load(client).running():
        client.fails["dump"] = ToolFailed("the load client is gone")


# late messages


def test_nothing_missing_is_drained_once(client: FakeClient, hands: Hands) -> None:
    workload = load(client, pending=lambda _: 5)

    with workload.running():
        pass

    assert client.verbs.count("drain") == 1
    assert workload.timeline.last("wait.begin", "messages that a dead session holds") is None


def test_what_a_dead_session_holds_is_waited_for(client: FakeClient, hands: Hands) -> None:
    client.missing = [3, 3, 1, 0]
    workload = load(client, pending=lambda _: 3)

    with workload.running():
        pass

    assert client.verbs.count("drain") == 4
    assert [d["for"] for d in client.arguments("drain")] == [20, 10, 10, 10]
    assert workload.timeline.last("wait.begin", "messages that a dead session holds") is not None


def test_what_no_queue_holds_is_not_waited_for(client: FakeClient, hands: Hands) -> None:
    client.missing = [3]
    workload = load(client, pending=lambda _: 0)

    with workload.running():
        pass

    assert client.verbs.count("drain") == 1


def test_the_wait_for_late_messages_ends(client: FakeClient, hands: Hands) -> None:
    client.missing = [3]

    def pending(_more: Sequence[str]) -> int:
        hands.at += 10
        return 3

    with load(client, pending=pending).running():
        pass

    assert client.verbs.count("drain") == 1 + 8


def test_the_wait_for_late_messages_asks_at_its_pace(client: FakeClient, hands: Hands) -> None:
    client.missing = [3]
    workload = load(client, pending=lambda _: 3)

    with workload.running():
        pass

    assert client.verbs.count("drain") == 1 + 76
    waits = [event for event in workload.timeline.events if event.subject == "messages that a dead session holds"]
    assert [event.kind for event in waits] == ["wait.begin", "wait.end"]


# a known number of messages


def test_some_are_published_and_each_answer_counts(client: FakeClient, hands: Hands) -> None:
    client.counts["p.q"] = {"confirmed": 0, "delivered": 0, "nacked": 2, "returned": 1}
    workload = load(client)

    workload.publish_some("q", 5, persistent=False, within=seconds(9))

    (request,) = client.arguments("publish")
    assert (request["limit"], request["rate"], request["persistent"]) == (5, 0, False)
    assert (request["stream"], request["host"]) == ("p.q", "192.0.2.100")
    assert client.counts["p.q"]["confirmed"] == 6, "five more answers than the three and one that there were"


def test_some_that_get_no_answer_are_no_verdict(client: FakeClient, hands: Hands) -> None:
    client.steps["s"] = (0, 0)

    with pytest.raises(NoProgress, match=r"5 answered publishes to q.*last seen: 0"):
        load(client).publish_some("q", 5, stream="s", host="192.0.2.1")
    assert client.arguments("publish")[0]["host"] == "192.0.2.1"


def test_a_load_can_be_collected_by_hand(client: FakeClient, hands: Hands) -> None:
    workload = load(client)
    workload.prepare()
    workload.publish_some("q", 2)

    assert workload.collect(settle=seconds(3)) is workload.history
    assert client.arguments("drain")[0]["for"] == 3


def test_streams_that_no_promise_covers_are_left_out(client: FakeClient, hands: Hands) -> None:
    workload = load(client)
    workload.prepare()
    workload.publish_some("q", 1, stream="transient.q")
    workload.publish_some("q", 1)
    workload.collect()

    workload.leave_out(lambda name: name.startswith("transient."))
    assert [stream.name for stream in workload.history.streams] == ["p.q"]
