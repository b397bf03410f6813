"""One broker leaves the cluster and is joined again by hand; one comes back with a cookie that its peers refuse."""

from __future__ import annotations

from dataclasses import dataclass

from plays.logs import lines_since
from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults.membership import another_cookie, left_by_reset
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

REFUSAL = "rejected. Invalid challenge reply"
Names = frozenset[str]


@dataclass(frozen=True)
class Rejoined:
    """Nodes by Erlang name. ``members_*``: node -> whom it knows as members; ``copies_*``: queue -> where its replicas are."""

    history: History
    leaver: str
    everybody: Names
    members_before: dict[str, Names]
    members_while_out: dict[str, Names]
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
    stranger_served: bool


def a_broker_leaves_by_reset_and_is_joined_again_by_hand(stage: Stage) -> Rejoined:
    cluster = stage.cluster
    keeper, third, leaver = cluster.nodes
    workload = _load_led_by(keeper, stage)
    before, copies_before = _members(cluster.nodes), _copies(cluster, workload.queues)

    with workload.running():
        with stage.chaos.inject(left_by_reset(cluster, leaver, through=keeper)):
            workload.await_progress(within=seconds(15))
            while_out = _members((keeper, third))
            copies_while_out = _await_copies(cluster, workload.queues, without=leaver)
        joined_after = clock.now() - next(e.at for e in stage.events if e.kind == "fault.healed")
        for queue in workload.queues:
            cluster.await_synced(queue, copies=len(cluster.nodes))
        after, copies_after = _members(cluster.nodes), _copies(cluster, workload.queues)
    return Rejoined(
        workload.history,
        leaver.name,
        frozenset(n.name for n in cluster.nodes),
        before,
        while_out,
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
        since = next(e.at for e in stage.events if e.kind == "fault.injected")
        said = _await_refusals(stranger, (keeper, third), since)
        workload.await_progress(within=seconds(15))
        running = {str(n): n.running_peers() for n in (keeper, third)}
        served = _ever_serves(stranger)
    return Refused(workload.history, stranger.name, said, running, served)


def _ever_serves(node: Node) -> bool:
    """Does it within twice the time that a boot takes? Just after the start nobody could."""
    try:
        return await_match(node.answers, bool, what=f"{node} serving", within=seconds(15), every=0.5)
    except BudgetSpent:
        return False


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
