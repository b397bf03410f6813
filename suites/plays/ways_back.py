"""A broker with clients on it dies: how each way to connect leads back, and whether consumers are subscribed once again.

The ways of the how-to: a list of brokers, a name with a short time to live, and the VIP. In the load client both names are
lines of /etc/hosts: the list has every broker's address, the victim's first; the other name has one address, which is
exchanged when the balancers have the dead broker DOWN, as a monitor with the same checks would do, or after 8 s. How long
the balancers take is V11's promise: here nobody waits for a slower one, or its delay would be the clients'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from plays.placing import someone_on
from pytest_rmqha import clock
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import BudgetSpent, NoVerdict, ToolFailed
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.outside import Containers
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

CLIENT = "rmqha-client"
LIST, NAME = "brokers.rmqha", "broker.rmqha"
BY_LIST, BY_NAME, BY_VIP = "by a list of brokers", "by a name with a short time to live", "by the VIP"
MOST_CONSUMERS = 12
MONITOR = seconds(8)
QUEUE = "ha.consumed"


@dataclass(frozen=True)
class WaysBack:
    """``back_after``: way -> seconds from the kill to the first confirm on the new connection; infinite if there was none.

    ``name_changed_after``: seconds from the kill until the short-lived name led elsewhere. ``consumers_*``: what the broker
    counts on the queue, once it agrees with how many there are (``wanted``), or at last. ``returned``: the consumer that was
    on the dead broker; ``delivered_again_after``: seconds from the kill, infinite if nothing came.
    """

    history: History
    back_after: dict[str, float]
    name_changed_after: float
    on_victim_before: dict[str, bool]
    returned: str
    wanted: int
    consumers_before: int
    consumers_after: int
    delivered_again_after: float


def the_clients_broker_is_killed(stage: Stage) -> WaysBack:
    keeper, victim, third = stage.cluster.nodes
    cluster, containers = stage.cluster, keeper.containers
    elsewhere, consumed = stage.mirrored("ha.load", home=keeper), stage.mirrored(QUEUE, home=keeper)
    workload = stage.workload(elsewhere, consumed)
    try:
        _resolve(containers, {LIST: (victim, keeper, third), NAME: (victim,)})
        with workload.running():
            ways = _clients_by_each_way(workload, cluster, victim)
            where = cluster.clients()
            on_victim = {way: where.get(stream) == victim.name for way, stream in ways.items()}
            consumer, wanted = _consumer_on(victim, workload, cluster)
            before = _await_consumers(cluster, wanted)
            with stage.chaos.inject(killed(cluster, victim)):
                killed_at = next(e.at for e in stage.events if e.kind == "fault.injected")
                _await_down(stage, victim)
                _resolve(containers, {LIST: (victim, keeper, third), NAME: (keeper,)})
                changed_at = clock.now()
                back = _await_events(stage, "first_confirm", tuple(ways.values()), killed_at)
                again = _await_events(stage, "first_delivery", (consumer,), killed_at)
            workload.await_progress(within=seconds(15))
            after = _await_consumers(cluster, wanted)
    finally:
        _resolve(containers, {})
    return WaysBack(
        workload.history,
        {way: back[stream] - killed_at for way, stream in ways.items()},
        changed_at - killed_at,
        on_victim,
        consumer,
        wanted,
        before,
        after,
        again[consumer] - killed_at,
    )


def _resolve(containers: Containers, names: dict[str, tuple[Node, ...]]) -> None:
    """The load client's names, and no others of ours; the file is written in place because the engine mounts it."""
    lines = "".join(f"{node.address} {name}\\n" for name, nodes in names.items() for node in nodes)
    script = f"grep -v '\\.rmqha$' /etc/hosts >/tmp/hosts; printf '{lines}' >>/tmp/hosts; cat /tmp/hosts >/etc/hosts"
    containers.must(CLIENT, "sh", "-c", f"echo 'multi on' >/etc/host.conf; {script}")


def _clients_by_each_way(workload: Workload, cluster: Cluster, victim: Node) -> dict[str, str]:
    """way -> stream; each publishes to a queue that is led elsewhere, so that it waits for nothing but its connection."""
    for stream, host in (("by.list", LIST), ("by.name", NAME)):
        workload.wire.ask("publish", stream=stream, queue="ha.load", host=host, rate=20, window=100)
    for stream in ("by.list", "by.name"):
        _await_connected(cluster, stream)
    through_the_vip = someone_on(victim, "ha.load", workload, cluster)
    if not through_the_vip:
        raise NoVerdict(f"nobody who connects through the VIP got {victim} in 20 tries")
    return {BY_LIST: "by.list", BY_NAME: "by.name", BY_VIP: through_the_vip[0]}


def _await_connected(cluster: Cluster, client: str) -> str:
    return await_match(
        lambda: cluster.clients().get(client, ""),
        bool,
        what=f"the connection of {client} in the API",
        within=seconds(10),
        every=0.1,
        ignore=(ToolFailed,),
    )


def _consumer_on(victim: Node, workload: Workload, cluster: Cluster) -> tuple[str, int]:
    """(a consumer on the victim, how many the queue has now).

    As many at once as there are brokers: one by one, in step with the prober's connections, each would be dealt to the same
    broker.
    """
    brokers = len(cluster.nodes)
    for first in range(0, MOST_CONSUMERS, brokers):
        roles = [f"c.again.{first + number}" for number in range(brokers)]
        for role in roles:
            workload.wire.ask("consume", role=role, queue=QUEUE)
        for role in roles:
            if _await_connected(cluster, role) == victim.name:
                return role, first + brokers + 1  # the load's own is one
    raise NoVerdict(f"no consumer got {victim} in {MOST_CONSUMERS} tries")


def _await_consumers(cluster: Cluster, wanted: int) -> int:
    """What the broker counts on the queue, once that is what is there, or at last: a zombie would stay counted."""

    def ask() -> int:
        return int(cluster.any_answering().api.queue(cluster.vhost, QUEUE).get("consumers", -1))

    try:
        return await_match(
            ask,
            lambda count: count == wanted,
            what=f"exactly {wanted} consumers on {QUEUE}",
            within=seconds(25),
            ignore=(ToolFailed, KeyError),
        )
    except BudgetSpent:
        return ask()


def _await_down(stage: Stage, node: Node) -> bool:
    """Was it DOWN on every balancer in time? A page that does not answer says neither."""
    try:
        await_match(
            lambda: [b.sees(node) for b in stage.balancers],
            lambda pages: all(page == {"DOWN"} for page in pages),
            what=f"{node} DOWN on every balancer",
            within=MONITOR,
        )
    except BudgetSpent:
        return False
    return True


def _await_events(stage: Stage, kind: str, clients: tuple[str, ...], since: float) -> dict[str, float]:
    """client -> when it first said so after ``since``; infinite if it did not in time."""

    def ask() -> dict[str, float]:
        found: dict[str, float] = {}
        for event in stage.events:
            if event.kind == "client" and event.text == kind and event.subject in clients and event.at > since:
                found.setdefault(event.subject, event.at)
        return found

    try:
        found = await_match(
            ask,
            lambda found: set(found) == set(clients),
            what=f"{kind} of {', '.join(clients)} after the kill",
            within=seconds(20),
        )
    except BudgetSpent:
        found = ask()
    return {client: found.get(client, math.inf) for client in clients}
