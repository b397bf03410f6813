"""Faults of the links between brokers, by toxiproxy, and of one member's whole network, by packet filter.

A cut is *seen* on the wire: nothing that is sent through the links' proxies is answered. Of a silent cut no broker knows
before the tick time; of a clean one every end does, and each is asked.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pytest_rmqha.clock import now
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import HarnessError, NobodyListens
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.links import Link, Links, each
from pytest_rmqha.outside import Filter
from pytest_rmqha.waiting import seconds

EPMD_NAMES_REQUEST = b"\x00\x01n"
LONGEST_ANSWER = 65536


def epmd_answers(link: Link, timeout: float = 1.0) -> bool:
    """Ask the peer's epmd for its names through the link's own proxy: the proof that bytes pass, or that they do not.

    The broker must be named in what comes until the peer closes, ``timeout`` seconds are over or the answer is longer
    than any epmd's (64 KiB).
    """
    until = now() + timeout
    host, port = str(link.server.read(link.proxies[0])["listen"]).rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=timeout) as wire:
            wire.sendall(EPMD_NAMES_REQUEST)
            said = b""
            while len(said) < LONGEST_ANSWER and (left := until - now()) > 0:
                wire.settimeout(left)
                part = wire.recv(4096)
                said += part
                if b"rabbit" in said:
                    return True
                if not part:
                    break
    except OSError:
        return False
    return False


def _whole(cluster: Cluster, links: Sequence[Link]) -> bool:
    everybody = frozenset(n.name for n in cluster.nodes)
    try:
        return all(link.is_clear() for link in links) and all(
            n.running_peers() == everybody and not any(v.get("partitions") for v in n.view().values())
            for n in cluster.nodes
        )
    except HarnessError:
        return False


def _cut(
    title: str,
    cluster: Cluster,
    links: tuple[Link, ...],
    cut: Callable[[], None],
    targets: tuple[str, ...],
    restore: Callable[[], None] | None = None,
    noticed: Callable[[], bool] = lambda: True,
) -> Fault:
    return Fault(
        title=title,
        inject=cut,
        heal=restore or (lambda: each(links, Link.restore)),
        in_effect=lambda: not any(epmd_answers(link) for link in links) and noticed(),
        is_gone=lambda: _whole(cluster, links),
        within=seconds(10),
        gone_within=seconds(60),
        targets=targets,
        undone=lambda: all(link.is_clear() and epmd_answers(link) for link in links),
    )


def _cut_both_ways(
    title: str, cluster: Cluster, links: Links, chosen: tuple[Link, ...], targets: tuple[str, ...], *, silently: bool
) -> Fault:
    if silently:
        return _cut(title, cluster, chosen, lambda: each(chosen, Link.swallow), targets)
    return _cut(
        title,
        cluster,
        chosen,
        lambda: links.close_at_once(chosen),
        targets,
        lambda: links.open_again(chosen),
        lambda: _all_noticed(chosen),
    )


def _all_noticed(links: Sequence[Link]) -> bool:
    """Each end is asked, all at the same moment, whether it takes its peer for running."""
    with ThreadPoolExecutor(max_workers=max(1, len(links))) as pool:
        return not any([*pool.map(lambda link: _sees(link.source, link.target), links)])


def _sees(node: Node, peer: Node) -> bool:
    """One that paused itself has no management to ask, and takes nobody for running. One that does not answer says nothing:
    its API waits for a peer that it has not given up yet.
    """
    try:
        return peer.name in node.running_peers()
    except NobodyListens:
        return False


def isolated(cluster: Cluster, links: Links, node: Node, *, silently: bool = False) -> Fault:
    """Every link of one broker to its peers cut; its clients and balancers still reach it."""
    word = "silently" if silently else "cleanly"
    title = f"{node} {word} cut off from its peers"
    return _cut_both_ways(title, cluster, links, links.around(node), (node.service,), silently=silently)


def pair_cut(cluster: Cluster, links: Links, a: Node, b: Node, *, silently: bool = False) -> Fault:
    """A partial partition: only the link between two brokers is cut."""
    title = f"link {a}–{b} {'silently' if silently else 'cleanly'} cut"
    return _cut_both_ways(title, cluster, links, links.between(a, b), (a.service, b.service), silently=silently)


def one_way_cut(cluster: Cluster, links: Links, speaker: Node, listener: Node) -> Fault:
    """What ``speaker`` says to ``listener`` disappears; the other direction passes."""
    between = links.between(speaker, listener)
    return _cut(
        f"{speaker} no longer heard by {listener}",
        cluster,
        between,
        lambda: each(between, lambda link: link.swallow_from(speaker)),
        (speaker.service, listener.service),
    )


def _round_trip(link: Link) -> float | None:
    start = now()
    return now() - start if epmd_answers(link, timeout=10) else None


def slowed(cluster: Cluster, links: tuple[Link, ...], *, milliseconds: int) -> Fault:
    """Latency on each direction of the links; seen when a round trip through each takes at least twice that."""

    def in_effect() -> bool:
        return all((_round_trip(link) or 0.0) >= 1.8 * milliseconds / 1000 for link in links)

    return Fault(
        title=f"{milliseconds} ms on {', '.join(map(str, links))}",
        inject=lambda: each(links, lambda link: link.delay(milliseconds)),
        heal=lambda: each(links, Link.restore),
        in_effect=in_effect,
        is_gone=lambda: _whole(cluster, links),
        within=seconds(15),
        gone_within=seconds(60),
        targets=tuple(str(link) for link in links),
        undone=lambda: all(link.is_clear() for link in links),
    )


def narrowed(cluster: Cluster, links: tuple[Link, ...], *, kilobytes_per_second: int) -> Fault:
    """A rate limit on each direction of the links; seen on the proxies (a rate shows only under load)."""
    return Fault(
        title=f"{kilobytes_per_second} kB/s on {', '.join(map(str, links))}",
        inject=lambda: each(links, lambda link: link.narrow(kilobytes_per_second)),
        heal=lambda: each(links, Link.restore),
        in_effect=lambda: all(len(link.server.toxics(p)) == 2 for link in links for p in link.proxies),
        is_gone=lambda: _whole(cluster, links),
        within=seconds(10),
        gone_within=seconds(60),
        targets=tuple(str(link) for link in links),
        undone=lambda: all(link.is_clear() for link in links),
    )


def packets_dropped(
    member: str,
    drops: Filter,
    rules: Sequence[tuple[str, str]],
    *,
    title: str,
    gone: Callable[[], bool],
    alive: Callable[[], bool] = lambda: True,
) -> Fault:
    """Drop rules in one member's network namespace; seen when they stand *and* have dropped at least one packet.

    ``alive``: whether the member still does what the rules are against. Rules stand and count on a frozen member too,
    and that would be another fault; on a dead one the filter can't be asked.
    """
    return Fault(
        title=title,
        inject=lambda: drops.drop(rules),
        heal=drops.lift,
        in_effect=lambda: (drops.dropped() or 0) > 0 and alive(),
        is_gone=lambda: drops.dropped() is None and gone(),
        within=seconds(15),
        gone_within=seconds(60),
        targets=(member,),
        undone=lambda: drops.dropped() is None,
    )


def unplugged(member: str, drops: Filter, *, gone: Callable[[], bool]) -> Fault:
    """Everything but loopback dropped, both ways: the network cable of one member."""
    rules = (("input", 'iifname != "lo"'), ("output", 'oifname != "lo"'))
    return packets_dropped(member, drops, rules, title=f"{member} unplugged (all packets dropped)", gone=gone)
