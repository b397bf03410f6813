"""Three unsafe habits of clients beside a careful one, under the same broker: it freezes for a moment and is then killed.

No confirms, automatic acknowledgement and transient messages each lose something of their own. The queues are not mirrored,
so that nobody else's care hides the habit. All but the transient one are led elsewhere: they outlive the broker, and what is
lost was on its way through it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass

from pytest_rmqha.client.ledger import Bitmap
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent
from pytest_rmqha.faults.node import frozen, killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History, Stream
from pytest_rmqha.workload.workload import Workload

CAREFUL, UNCONFIRMED, AUTO_ACKED, TRANSIENT = "careful", "unconfirmed", "auto-acked", "transient"
PERSISTENT, BESIDE = "persistent, beside the transient ones", 50
BACKLOG, BODY = 12_000, 4_000
TRANSIENT_MESSAGES = 300
SENT_INTO_THE_VOID = 200


@dataclass(frozen=True)
class Habits:
    """``sent_while_frozen``: by the publisher without confirms; ``never_arrived``: of all its messages.

    ``taken_before_freeze``: messages of the backlog that the automatically acknowledging consumer had by then. ``beside``:
    persistent messages in the queue of the transient ones; ``left``: messages that still wait in any queue at the end.
    """

    careful: History
    unconfirmed: Stream
    sent_while_frozen: int
    never_arrived: int
    auto_acked: Stream
    backlog: int
    taken_before_freeze: int
    transient: Stream
    beside: Stream
    left: int


def unsafe_clients_share_a_broker_that_dies(stage: Stage) -> Habits:
    keeper, victim, _ = stage.cluster.nodes
    workload = _prepared(stage, keeper, victim)
    _begin(workload, victim)
    workload.wire.ask("consume", role=f"c.{AUTO_ACKED}", queue=AUTO_ACKED, host=victim.address, ack=False)
    _await(workload, AUTO_ACKED, "delivered", 1)

    with stage.chaos.inject(frozen(stage.cluster, victim)):
        taken = _count(workload, AUTO_ACKED, "delivered")
        already = _count(workload, UNCONFIRMED, "attempted")
        _await(workload, UNCONFIRMED, "attempted", already + SENT_INTO_THE_VOID)
        with stage.chaos.inject(killed(stage.cluster, victim)):
            sent = _count(workload, UNCONFIRMED, "attempted") - already
    for queue in (UNCONFIRMED, TRANSIENT):
        workload.wire.ask("consume", role=f"c.{queue}", queue=queue)
    _await_new_confirms(workload)
    history = workload.collect()
    streams = {stream.name: stream for stream in history.streams}
    unconfirmed = streams[UNCONFIRMED]
    return Habits(
        dataclasses.replace(history, streams=(streams[CAREFUL],)),
        unconfirmed,
        sent,
        (Bitmap.first(unconfirmed.attempted) - unconfirmed.delivered).count(),
        streams[AUTO_ACKED],
        BACKLOG,
        taken,
        streams[TRANSIENT],
        streams[PERSISTENT],
        _left(workload),
    )


def _prepared(stage: Stage, keeper: Node, victim: Node) -> Workload:
    """Queues, the transient messages and a backlog that takes a consumer longer to read than the broker has to live."""
    cluster = stage.cluster
    for queue in (CAREFUL, UNCONFIRMED, AUTO_ACKED):
        cluster.declare(queue, home=keeper)
    cluster.declare(TRANSIENT, home=victim)
    workload = stage.workload(CAREFUL, UNCONFIRMED, AUTO_ACKED, TRANSIENT)
    workload.prepare()
    workload.publish_some(TRANSIENT, TRANSIENT_MESSAGES, stream=TRANSIENT, persistent=False)
    workload.publish_some(TRANSIENT, BESIDE, stream=PERSISTENT)
    workload.publish_some(AUTO_ACKED, BACKLOG, stream=AUTO_ACKED, body=BODY, within=seconds(60))
    return workload


def _begin(workload: Workload, victim: Node) -> None:
    """The careful client and the one without confirms, both connected to the broker that is about to die."""
    at = victim.address
    workload.wire.ask("consume", role=f"c.{CAREFUL}", queue=CAREFUL, host=at)
    workload.wire.ask("publish", stream=CAREFUL, queue=CAREFUL, host=at, rate=100, window=500)
    workload.wire.ask(
        "publish", stream=UNCONFIRMED, queue=UNCONFIRMED, host=at, rate=500, confirms=False, reconnect=False
    )
    _await(workload, CAREFUL, "delivered", 1)
    _await(workload, UNCONFIRMED, "attempted", 100)


def _left(workload: Workload) -> int:
    """Statistics lag by some seconds: what still waits once they have had the time to say that nothing does."""
    with contextlib.suppress(BudgetSpent):
        await_match(lambda: workload.pending(()), lambda n: n == 0, what="every queue empty", within=seconds(15))
    return workload.pending(())


def _count(workload: Workload, stream: str, what: str) -> int:
    return int(workload.wire.ask("progress", within=10)["streams"].get(stream, {}).get(what, 0))


def _await(workload: Workload, stream: str, what: str, least: int) -> None:
    await_match(
        lambda: _count(workload, stream, what),
        lambda n: n >= least,
        what=f"{least} messages {what} of {stream}",
        within=seconds(15),
        every=0.02,
    )


def _await_new_confirms(workload: Workload) -> None:
    """The careful client goes on by itself once its broker is back."""
    _await(workload, CAREFUL, "confirmed", _count(workload, CAREFUL, "confirmed") + 1)
