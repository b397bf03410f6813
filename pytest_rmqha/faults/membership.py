"""Faults of belonging: a broker that has left the cluster, and one that its peers no longer let in.

Both are done with the command line and the files that an operator has, on the broker itself.
"""

from __future__ import annotations

import json
import re
import socket

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import HarnessError, InvariantNotUpheld, ToolFailed
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.links import Links
from pytest_rmqha.replicas import Replicas
from pytest_rmqha.waiting import await_match, seconds, shortened

COOKIE = "/var/lib/rabbitmq/.erlang.cookie"
KEPT = f"{COOKIE}.kept"
DISTRIBUTION = 25672
FAILED_ROW = re.compile(r"^error: |\terror: [^\t]*$")


def left_by_reset(cluster: Cluster, links: Links, node: Node, *, through: Node) -> Fault:
    """The broker leaves (its quorum replicas taken away, ``stop_app``, ``reset``) and is started again: blank, and alone.

    Its links are closed before it starts, or peer discovery would join it by itself; without peers it gives up looking for
    them (ten tries in 5 s, 3.10.8) and boots as a cluster of one. Its client listeners are suspended then, as an operator
    would do: a balancer would send clients to a broker that knows no user. Seen when nobody knows it and it has itself alone running.
    Healed as ``join_by_hand`` and ``grow_replicas`` do it, where nobody has done that yet. Gone when each sees each and
    every quorum queue has a replica there. Source: https://www.rabbitmq.com/docs/3.13/clustering,
    https://www.rabbitmq.com/docs/3.13/quorum-queues (managing replicas), ``join_discovered_peers`` in rabbit_mnesia.erl.
    """
    around = links.around(node)

    def inject() -> None:
        through.containers.must(through.service, "rabbitmq-queues", "shrink", node.name)
        node.stop_app()
        node.containers.must(node.service, "rabbitmqctl", "reset")
        links.close_at_once(around)
        node.start_app()
        node.containers.must(node.service, "rabbitmqctl", "suspend_listeners")

    def is_forgotten() -> bool:
        return all(node.name not in n.view() for n in cluster.others(node))

    def heal() -> None:
        links.open_again(around)
        if is_forgotten():
            join_by_hand(links, node, through=through)
        elif not node.answers():
            node.start_app()
        grow_replicas(node, through, error=ToolFailed)

    return Fault(
        title=f"{node} left by reset and started alone",
        inject=inject,
        heal=heal,
        in_effect=lambda: is_forgotten() and running_by_itself(node) == {node.name},
        is_gone=lambda: all(link.is_clear() for link in around) and _together(cluster) and _has_replicas(node, through),
        within=seconds(15),
        gone_within=seconds(60),
        targets=(node.service,),
        undone=lambda: all(link.is_clear() for link in around) and not is_forgotten(),
    )


def join_by_hand(links: Links, node: Node, *, through: Node) -> None:
    """``stop_app``, ``join_cluster`` to ``through``, ``start_app``, its links opened between: a cluster formed by hand.

    InvariantNotUpheld where a command is refused: a broker that can't be joined again is the stack's.
    """
    for words in (("stop_app",), ("join_cluster", through.name), ("start_app",)):
        if words[0] == "join_cluster":
            links.open_again(links.around(node))
        try:
            said = node.containers.exec(node.service, "rabbitmqctl", *words)
        except ToolFailed as error:
            raise InvariantNotUpheld(f"rabbitmqctl {' '.join(words)} on {node} did not end: {error}") from error
        if said.code != 0:
            why = (said.err or said.out).strip()
            raise InvariantNotUpheld(
                f"rabbitmqctl {' '.join(words)} on {node} ended with {said.code}: {shortened(why)}"
            )


def grow_replicas(node: Node, through: Node, *, error: type[Exception] = InvariantNotUpheld) -> None:
    """A replica of every quorum queue on the node, said again for 30 s: a change of members may be refused for a moment."""
    await_match(
        lambda: _grown(node, through),
        bool,
        what=f"a replica of every quorum queue on {node}",
        within=seconds(30),
        every=1,
        ignore=(HarnessError,),
        error=error,
    )


def running_by_itself(node: Node) -> frozenset[str]:
    """Whom the broker has running, by its command line: a blank one has lost the harness's own user with all others.

    ToolFailed where it does not tell.
    """
    said = node.containers.must(node.service, "rabbitmqctl", "-q", "cluster_status", "--formatter", "json")
    try:
        return frozenset(str(name) for name in json.loads(said)["running_nodes"])
    except (ValueError, KeyError) as error:
        raise ToolFailed(f"{node} does not tell whom it has running: {said.strip()[:100]!r}") from error


def another_cookie(cluster: Cluster, node: Node) -> Fault:
    """The broker is restarted with another Erlang cookie in its file: it runs, and its peers refuse it.

    Seen when its distribution port is open with the other cookie in place and no peer has it running. Healed by putting
    the file back; a broker that waits for its peers does not end on SIGTERM, so it is killed.
    """

    def inject() -> None:
        script = f"cp -p {COOKIE} {KEPT} && tr 0-9a-f g-v <{KEPT} >{COOKIE} && ! cmp -s {COOKIE} {KEPT}"
        node.containers.must(node.service, "sh", "-ec", script)
        node.stop()
        node.start()

    def is_exchanged() -> bool:
        return node.containers.exec(node.service, "test", "-e", KEPT).code == 0

    def in_effect() -> bool:
        running = [n.running_peers() for n in cluster.others(node)]
        return _listens(node, DISTRIBUTION) and is_exchanged() and not any(node.name in peers for peers in running)

    def heal() -> None:
        if node.state() != "running":
            node.start()
        if is_exchanged():
            node.containers.must(node.service, "sh", "-ec", f"cp -p {KEPT} {COOKIE} && rm {KEPT}")
            node.kill()
            node.start()

    return Fault(
        title=f"{node} restarted with another cookie",
        inject=inject,
        heal=heal,
        in_effect=in_effect,
        is_gone=lambda: not is_exchanged() and _together(cluster),
        within=seconds(40),
        gone_within=seconds(60),
        targets=(node.service,),
        undone=lambda: not is_exchanged() and node.state() == "running",
    )


def _grown(node: Node, through: Node) -> bool:
    """``rabbitmq-queues grow``, in one go. ToolFailed where it did not do all of it; it may be said again.

    It passes over queues that have a replica there, and over *all* of them, in silence, while ``through`` does not see
    the node running. A queue that it could not grow is a row with ``error:`` (on 3.10 before the table, its row says ok),
    and the exit code is 0 for all that. Source: ``grow/4`` in rabbit_quorum_queue.erl, ``format_result`` in
    grow_command.ex of v3.10.8 and v4.2.0.
    """
    if node.name not in through.running_peers():
        raise ToolFailed(f"{through} does not see {node} running yet")
    said = through.containers.must(through.service, "rabbitmq-queues", "grow", node.name, "all")
    failed = [line for line in said.splitlines() if FAILED_ROW.search(line)]
    if failed:
        raise ToolFailed(f"rabbitmq-queues grow {node.name} all: {'; '.join(failed[:5])} ({len(failed)} lines)")
    return True


def _has_replicas(node: Node, through: Node) -> bool:
    """Is every quorum queue replicated there, as ``through`` tells it?"""
    return all(node.name in Replicas.of(q).members for q in through.api.queues() if q.get("type") == "quorum")


def _together(cluster: Cluster) -> bool:
    """Every node sees every node running."""
    everybody = frozenset(n.name for n in cluster.nodes)
    try:
        return all(n.running_peers() == everybody for n in cluster.nodes)
    except HarnessError:
        return False


def _listens(node: Node, port: int) -> bool:
    try:
        socket.create_connection((node.address, port), timeout=0.5).close()
    except OSError:
        return False
    return True
