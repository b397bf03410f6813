"""The normal mode: one copy of a queue, on its home node. What clients meet while the home is away, and what is there afterwards.

A durable and a non-durable queue, each with persistent and transient messages: four combinations under one fault. What
must vanish is sent without confirms, because nobody was promised it; that it was there is seen in the queue's count.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, ToolFailed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.workload import Workload

DURABLE, FLEETING = "plain.durable", "plain.fleeting"
PERSISTENT, TRANSIENT, ANEW = 100, 40, 20
VANISHING = ("durable.transient", "fleeting.persistent", "fleeting.transient")
STREAMS = ("durable.persistent", *VANISHING, "fleeting.anew")
ACCEPTED = "accepted"
A_BROKERS_REFUSAL = re.compile(r"\(4\d\d[,)]")


@dataclass(frozen=True)
class Parked:
    """By queue: the nodes with a copy, and the messages in it."""

    copies: dict[str, frozenset[str]]
    messages: dict[str, int]


@dataclass(frozen=True)
class WhileAway:
    """What a broker answered: to a passive declaration (``asked``) and to an active one. ``fleeting_home``: its new node."""

    asked: str
    redeclared: str
    fleeting_redeclared: str
    fleeting_home: str | None


@dataclass(frozen=True)
class Afterwards:
    """``counts``: node -> messages it says are in the durable queue."""

    counts: dict[str, int | None]
    copies: frozenset[str]


@dataclass(frozen=True)
class Unmirrored:
    """``delivered``: by stream, counted by the load client."""

    home: str
    parked: Parked
    away: WhileAway
    after: Afterwards
    delivered: dict[str, int]


def park(stage: Stage, workload: Workload, home: Node) -> Parked:
    """Declare both queues on ``home`` and fill them; returns when the counts are seen. The workload has to be prepared."""
    cluster = stage.cluster
    cluster.declare(DURABLE, home=home)
    cluster.declare(FLEETING, home=home, durable=False)
    workload.publish_some(DURABLE, PERSISTENT, stream="durable.persistent")
    send(workload, DURABLE, TRANSIENT, stream="durable.transient", persistent=False)
    send(workload, FLEETING, PERSISTENT, stream="fleeting.persistent")
    send(workload, FLEETING, TRANSIENT, stream="fleeting.transient", persistent=False)
    for queue in (DURABLE, FLEETING):
        cluster.await_messages(queue, PERSISTENT + TRANSIENT)
    copies = {queue: cluster.replicas(queue).members for queue in (DURABLE, FLEETING)}
    return Parked(copies, dict.fromkeys((DURABLE, FLEETING), PERSISTENT + TRANSIENT))


def send(workload: Workload, queue: str, count: int, *, stream: str, persistent: bool = True) -> None:
    """Publish without confirms: for messages that the scenario itself makes vanish. Returns before they are there."""
    workload.wire.ask(
        "publish", stream=stream, queue=queue, limit=count, rate=0, window=500, persistent=persistent, confirms=False
    )


def look_while_away(stage: Stage, workload: Workload, home: Node) -> WhileAway:
    """Ask for the durable queue and declare it again; see the other one gone, declare it anew and use it."""
    cluster = stage.cluster
    asked = answer_to(workload, DURABLE, passive=True)
    redeclared = answer_to(workload, DURABLE)
    await_match(
        lambda: _exists(stage, FLEETING, home),
        lambda there: not there,
        what=f"{FLEETING} gone with {home}",
        within=seconds(15),
        ignore=(ToolFailed,),
        error=InvariantNotUpheld,
    )
    again = answer_to(workload, FLEETING, durable=False)
    new_home = cluster.replicas(FLEETING, cluster.any_answering(excluded=(home,))).leader
    workload.publish_some(FLEETING, ANEW, stream="fleeting.anew")
    workload.wire.ask("consume", role=f"c.{FLEETING}", queue=FLEETING)
    return WhileAway(asked, redeclared, again, new_home)


def answer_to(workload: Workload, queue: str, *, durable: bool = True, passive: bool = False) -> str:
    """What a broker behind the VIP says to a declaration: ``accepted`` or its refusal. A lost connection is no answer."""

    def ask() -> str:
        wanted = {"name": queue, "durable": durable, "arguments": {}, "passive": passive}
        try:
            workload.wire.ask("declare", queues=[wanted], within=20)
        except ToolFailed as error:
            return str(error)
        return ACCEPTED

    return await_match(
        ask,
        lambda said: said == ACCEPTED or A_BROKERS_REFUSAL.search(said) is not None,
        what=f"a broker's answer to the declaration of {queue}",
        within=seconds(20),
    )


def look_afterwards(stage: Stage, workload: Workload) -> Afterwards:
    """Each node's own count of the durable queue, waited for but not insisted on; then the queue is consumed."""
    cluster = stage.cluster
    counts: dict[str, int | None] = {}

    def ask() -> dict[str, int | None]:
        counts.update({str(node): cluster.replicas(DURABLE, node).messages for node in cluster.nodes})
        return counts

    with contextlib.suppress(BudgetSpent):
        await_match(
            ask,
            lambda told: set(told.values()) == {PERSISTENT},
            what=f"{PERSISTENT} messages in {DURABLE} on every node",
            within=seconds(15),
            ignore=(ToolFailed, KeyError),
        )
    copies = cluster.replicas(DURABLE).members
    workload.wire.ask("consume", role=f"c.{DURABLE}", queue=DURABLE)
    return Afterwards(dict(counts), copies)


def what_became_of_it(workload: Workload, home: Node, parked: Parked, away: WhileAway, after: Afterwards) -> Unmirrored:
    """Once the load has ended: put it together, and take what had to vanish out of the history."""
    delivered = {s.name: s.delivered.count() for s in workload.history.streams if s.name in STREAMS}
    workload.leave_out(lambda stream: stream in VANISHING)
    return Unmirrored(home.name, parked, away, after, delivered)


def _exists(stage: Stage, queue: str, home: Node) -> bool:
    via = stage.cluster.any_answering(excluded=(home,))
    try:
        via.api.queue(stage.cluster.vhost, queue)
    except KeyError:
        return False
    return True
