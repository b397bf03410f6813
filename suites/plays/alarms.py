"""One broker runs out of memory by its own rules: who publishes is blocked on every broker, who consumes is not."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.errors import InvariantNotUpheld
from pytest_rmqha.faults.resource import memory_alarm
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

BACKLOG = 500
STILL = 1.5
QUEUE = "ha.backlog"


@dataclass(frozen=True)
class Alarm:
    """``publishers``: all that there were, one on each broker among them (``on_each``: stream -> broker).

    ``confirmed_while_blocked``: by all of them, while ``consumed_while_blocked`` messages of the backlog were delivered;
    ``unblocked_after``: seconds from the end of the alarm until the last publisher was told so.
    """

    history: History
    alarmed: str
    publishers: frozenset[str]
    on_each: dict[str, str]
    blocked: frozenset[str]
    confirmed_while_blocked: int
    backlog: int
    consumed_while_blocked: int
    unblocked: frozenset[str]
    unblocked_after: float


def one_broker_has_a_memory_alarm(stage: Stage) -> Alarm:
    keeper, _, short_of_memory = stage.cluster.nodes
    workload = stage.workload(stage.mirrored("ha.load", home=keeper), stage.quorum("quorum.load", home=keeper))
    stage.mirrored(QUEUE, home=keeper)
    workload.prepare()
    workload.publish_some(QUEUE, BACKLOG, stream="backlog")

    with workload.running():
        on_each = _one_publisher_on_each(stage, workload)
        publishers = frozenset({*on_each, *(workload.stream_of(q) for q in workload.queues)})
        with stage.chaos.inject(memory_alarm(stage.cluster, short_of_memory)):
            raised = next(e.at for e in stage.events if e.kind == "fault.injected")
            blocked = _await_told(stage, "blocked", publishers, raised)
            before = _await_no_more_confirms(workload)
            consumed = _consume_the_backlog(workload)
            confirmed = _confirmed(workload) - before
        over = next(e.at for e in stage.events if e.kind == "fault.healed")
        unblocked = _await_told(stage, "unblocked", publishers, over)
        workload.await_progress(within=seconds(15), streams=sorted(publishers), deliveries=False)
    return Alarm(
        workload.history,
        str(short_of_memory),
        publishers,
        on_each,
        frozenset(blocked),
        confirmed,
        BACKLOG,
        consumed,
        frozenset(unblocked),
        max(unblocked.values()) - over,
    )


def _one_publisher_on_each(stage: Stage, workload: Workload) -> dict[str, str]:
    """On each broker's own address; the alarm is one broker's, the block is everybody's."""
    found = {}
    for node in stage.cluster.nodes:
        stream = f"on.{node}"
        workload.wire.ask("publish", stream=stream, queue="ha.load", host=node.address, rate=20, window=100)
        found[stream] = str(node)
    workload.await_progress(within=seconds(10), streams=list(found))
    return found


def _await_told(stage: Stage, what: str, publishers: frozenset[str], since: float) -> dict[str, float]:
    """publisher -> when the broker told it (``connection.blocked`` or ``connection.unblocked``)."""

    def ask() -> dict[str, float]:
        mine = (e for e in stage.events if e.kind == "client" and e.text == what and e.at > since)
        return {event.subject: event.at for event in mine if event.subject in publishers}

    return await_match(
        ask,
        lambda told: set(told) >= publishers,
        what=f"every publisher {what}",
        within=seconds(15),
        error=InvariantNotUpheld,
    )


def _confirmed(workload: Workload) -> int:
    return sum(confirmed for confirmed, _ in workload.progress().values())


def _await_no_more_confirms(workload: Workload) -> int:
    """The count of confirms once it has stood still for 1.5 s: what was under way before the block is answered."""
    since = [(clock.now(), _confirmed(workload))]

    def ask() -> float:
        count = _confirmed(workload)
        if count != since[-1][1]:
            since.append((clock.now(), count))
        return clock.now() - since[-1][0]

    await_match(
        ask,
        lambda still: still >= STILL,
        what=f"{STILL:g} s without a new confirm",
        within=seconds(15),
        error=InvariantNotUpheld,
    )
    return since[-1][1]


def _consume_the_backlog(workload: Workload) -> int:
    workload.wire.ask("consume", role=f"c.{QUEUE}", queue=QUEUE)
    return await_match(
        lambda: workload.progress()["backlog"][1],
        lambda n: n >= BACKLOG,
        what=f"{BACKLOG} messages consumed while publishers are blocked",
        within=seconds(15),
        error=InvariantNotUpheld,
    )
