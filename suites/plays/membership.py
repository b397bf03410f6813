"""One broker leaves, runs alone and is joined again by hand; one comes back with a cookie that its peers refuse."""

from __future__ import annotations

from dataclasses import dataclass

from plays.logs import lines_since
from plays.lonely_start import SAID_LONG_ENOUGH, listens_on, says_that_it_waits, served_on
from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults.membership import (
    another_cookie,
    grow_replicas,
    join_by_hand,
    left_by_reset,
    running_by_itself,
)
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

REFUSAL = "rejected. Invalid challenge reply"
KEPT_OUT = 35.0
"""Seconds since its start for which a refused broker may not serve, unless its log says 5 s before that it waits.

An ordinary boot serves within 15 s. The 70 s of ``lonely_start`` are for peers that are dead, each of which is dialled
several times, 7 s a try; a peer that refuses the cookie answers at once.
"""
Names = frozenset[str]


@dataclass(frozen=True)
class Rejoined:
    """Nodes by Erlang name. ``members_*``: node -> whom it knows as members; ``copies_*``: queue -> where its replicas are.

    ``alone``: whom the leaver itself had running after ``reset`` and ``start_app``. ``joined_after``: seconds from the first
    command of joining until each sees each running and every queue has its replicas in sync.
    """

    history: History
    leaver: str
    everybody: Names
    members_before: dict[str, Names]
    members_while_out: dict[str, Names]
    alone: Names
    members_after: dict[str, Names]
    copies_before: dict[str, Names]
    copies_while_out: dict[str, Names]
    copies_after: dict[str, Names]
    joined_after: float


@dataclass(frozen=True)
class Refused:
    """``said``: peer -> the line with which it refused the stranger; ``running``: peer -> whom it had running then."""

    history: History
    stranger: str
    said: dict[str, str]
    running: dict[str, Names]
    kept_out: KeptOut


@dataclass(frozen=True)
class KeptOut:
    """``served``: the stranger's ports beside those of the cluster, at any of the ``looks``. ``waits_for``: seconds since the
    first look in which its log said that it waits; None if it did not.

    ``lasted``: seconds from its start to the last look.
    """

    served: frozenset[int] = frozenset()
    looks: int = 0
    waits_for: float | None = None
    lasted: float = 0.0

    @property
    def is_certain(self) -> bool:
        return self.looks > 0 and ((self.waits_for or 0.0) >= SAID_LONG_ENOUGH or self.lasted >= KEPT_OUT)


def a_broker_leaves_by_reset_and_is_joined_again_by_hand(stage: Stage) -> Rejoined:
    cluster = stage.cluster
    keeper, third, leaver = cluster.nodes
    workload = _load_led_by(keeper, stage)
    before, copies_before = _members(cluster.nodes), _copies(cluster, workload.queues)

    with workload.running():
        with stage.chaos.inject(left_by_reset(cluster, stage.links, leaver, through=keeper)):
            workload.await_progress(within=seconds(15))
            while_out, alone = _members((keeper, third)), running_by_itself(leaver)
            copies_while_out = _await_copies(cluster, workload.queues, without=leaver)
            began = clock.now()
            join_by_hand(stage.links, leaver, through=keeper)
            _await_together(cluster)
            grow_replicas(leaver, keeper)
            _await_everywhere(cluster, workload.queues)
            joined_after = clock.now() - began
        after, copies_after = _members(cluster.nodes), _copies(cluster, workload.queues)
    return Rejoined(
        workload.history,
        leaver.name,
        frozenset(n.name for n in cluster.nodes),
        before,
        while_out,
        alone,
        after,
        copies_before,
        copies_while_out,
        copies_after,
        joined_after,
    )


def a_broker_comes_back_with_another_cookie(stage: Stage) -> Refused:
    keeper, third, stranger = stage.cluster.nodes
    workload = _load_led_by(keeper, stage)

    with workload.running(), stage.chaos.inject(another_cookie(stage.cluster, stranger)):
        injected = next(e for e in stage.events if e.kind == "fault.injected")
        said = _await_refusals(stranger, (keeper, third), injected.at)
        workload.await_progress(within=seconds(15))
        kept_out = watched_outside(stranger, injected.at + float(str(injected.data["took"])))
        running = {str(n): n.running_peers() for n in (keeper, third)}
    return Refused(workload.history, stranger.name, said, running, kept_out)


def watched_outside(node: Node, since: float) -> KeptOut:
    """Watch a refused broker that was started at ``since`` (monotonic seconds) until it has said for 5 s that it waits, or serves,
    or 35 s are over. A look that fails is no look.
    """
    seen = KeptOut()
    said_since: list[float] = []

    def look() -> KeptOut:
        nonlocal seen
        ports, at = listens_on(node), clock.now()
        if not said_since and says_that_it_waits(node, since):
            said_since.append(at)
        waits_for = at - said_since[0] if said_since else None
        seen = KeptOut(seen.served | served_on(ports), seen.looks + 1, waits_for, at - since)
        return seen

    try:
        return await_match(
            look,
            lambda kept: kept.is_certain or bool(kept.served),
            what=f"{node} kept out",
            within=seconds(KEPT_OUT + 20),
            every=0.5,
            ignore=(ToolFailed,),
        )
    except BudgetSpent:
        return seen


def _load_led_by(home: Node, stage: Stage) -> Workload:
    return stage.workload(stage.mirrored("ha.load", home=home), stage.quorum("quorum.load", home=home))


def _members(nodes: tuple[Node, ...]) -> dict[str, Names]:
    return {str(n): frozenset(n.view()) for n in nodes}


def _copies(cluster: Cluster, queues: tuple[str, ...]) -> dict[str, Names]:
    return {queue: cluster.replicas(queue).members for queue in queues}


def _await_copies(cluster: Cluster, queues: tuple[str, ...], *, without: Node) -> dict[str, Names]:
    return await_match(
        lambda: _copies(cluster, queues),
        lambda found: not any(without.name in members for members in found.values()),
        what=f"no replica listed on {without}, which has left",
        within=seconds(15),
        ignore=(ToolFailed, KeyError),
        error=InvariantNotUpheld,
    )


def _await_together(cluster: Cluster) -> None:
    """Each sees each running."""
    everybody = frozenset(n.name for n in cluster.nodes)
    await_match(
        lambda: {str(n): n.running_peers() for n in cluster.nodes},
        lambda views: all(view == everybody for view in views.values()),
        what="every node running in the view of every node, after it was joined by hand",
        within=seconds(60),
        ignore=(ToolFailed,),
        error=InvariantNotUpheld,
    )


def _await_everywhere(cluster: Cluster, queues: tuple[str, ...]) -> None:
    """Each queue has a replica on every node, in sync."""
    everybody = frozenset(n.name for n in cluster.nodes)
    await_match(
        lambda: {queue: cluster.replicas(queue) for queue in queues},
        lambda found: all(r.members == everybody and r.in_sync >= everybody for r in found.values()),
        what="a replica of every queue on every node, in sync, after one was joined by hand",
        within=seconds(30),
        ignore=(ToolFailed, KeyError),
        error=InvariantNotUpheld,
    )


def _await_refusals(stranger: Node, peers: tuple[Node, ...], since: float) -> dict[str, str]:
    """The stranger dials each peer while it boots; one that refused it is enough to know why it does not join."""

    def refusals() -> dict[str, str]:
        found: dict[str, str] = {}
        for peer in peers:
            for line in lines_since(peer.containers, peer.service, since):
                if REFUSAL in line and stranger.name in line:
                    found.setdefault(str(peer), line)
        return found

    return await_match(
        refusals,
        bool,
        what=f"a line in a peer's log that refuses {stranger.name}",
        within=seconds(40),
        every=0.5,
        error=InvariantNotUpheld,
    )
