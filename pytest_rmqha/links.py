"""The links between brokers, live: one direction each, made of two proxies (epmd and distribution).

Either side may dial, so what is cut is a *pair*: both directions. One-way faults work on the stream of a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pytest_rmqha.cluster import Node
from pytest_rmqha.outside import LinkProxies

SILENT = "rmqha-silent"
LATENCY = "rmqha-latency"
RATE = "rmqha-rate"
ONEWAY = "rmqha-oneway"
LIMIT = "rmqha-limit"
STREAMS = ("upstream", "downstream")


class Proxied:
    """A way through link proxies: what can be done to each of its ``proxies`` (names on the toxiproxy ``server``)."""

    proxies: tuple[str, ...]
    server: LinkProxies

    @property
    def address(self) -> str:
        """The link proxies' own address, which is dialled instead of the peer's."""
        return str(self.server.read(self.proxies[0])["listen"]).rsplit(":", 1)[0]

    def close(self) -> None:
        """A clean cut: connections are closed and new ones refused; the last proxy first."""
        self.server.close(tuple(reversed(self.proxies)))

    def open(self) -> None:
        for proxy in self.proxies:
            self.server.enable(proxy, True)

    def swallow(self) -> None:
        """A silent cut: what is sent disappears both ways, connections stay. Lifting it closes them."""
        self._each_stream("timeout", SILENT, {"timeout": 0})

    def delay(self, milliseconds: int, jitter: int = 0) -> None:
        """Add latency to each direction; the round trip grows by twice this."""
        self._each_stream("latency", LATENCY, {"latency": milliseconds, "jitter": jitter})

    def narrow(self, kilobytes_per_second: int) -> None:
        self._each_stream("bandwidth", RATE, {"rate": kilobytes_per_second})

    def break_off_after(self, sent: int) -> None:
        """Close each connection once ``sent`` bytes have gone from the one who dialled, in the middle of whatever that is."""
        for proxy in self.proxies:
            self.server.add_toxic(proxy, f"{LIMIT}-upstream", "limit_data", "upstream", {"bytes": sent})

    def restore(self) -> None:
        """Open again and take every toxic off; nothing there is fine."""
        for proxy in self.proxies:
            for toxic in self.server.toxics(proxy):
                self.server.remove_toxic(proxy, toxic)
        self.open()

    def is_clear(self) -> bool:
        return all(self.server.read(p)["enabled"] and not self.server.toxics(p) for p in self.proxies)

    def _each_stream(self, kind: str, name: str, attributes: Mapping[str, int]) -> None:
        for proxy in self.proxies:
            for stream in STREAMS:
                self.server.add_toxic(proxy, f"{name}-{stream}", kind, stream, attributes)


@dataclass(frozen=True)
class Link(Proxied):
    """``source`` dials ``target``, two brokers, through ``proxies``: epmd's and the distribution's."""

    source: Node
    target: Node
    proxies: tuple[str, ...]
    server: LinkProxies = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.source}→{self.target}"

    def swallow_from(self, sender: Node) -> None:
        """A one-way cut: only what ``sender`` says disappears, whoever dialled."""
        stream = "upstream" if sender == self.source else "downstream"
        for proxy in self.proxies:
            self.server.add_toxic(proxy, f"{ONEWAY}-{stream}", "timeout", stream, {"timeout": 0})


@dataclass(frozen=True)
class Links:
    """Every ordered pair of brokers, on one server."""

    all: tuple[Link, ...]

    def close_at_once(self, links: tuple[Link, ...]) -> None:
        """A clean cut of several links that nobody sees half done, and that each end notices at the same moment.

        A peer that misses a node asks the others whether they still have it; one whose link is not closed yet answers, and that
        is a *partial* partition: ``pause_minority`` then pauses a healthy broker too (seen on 3.10.8). So what is sent
        disappears first on every link, which nobody notices, and then all their connections are closed in one call.
        """
        each(links, Link.swallow)
        links[0].server.close([name for link in links for name in reversed(link.proxies)])

    def open_again(self, links: tuple[Link, ...]) -> None:
        """Undo ``close_at_once``, one that stopped half way included."""
        each(links, Link.restore)

    def between(self, a: Node, b: Node) -> tuple[Link, ...]:
        """Both directions of one pair."""
        return tuple(link for link in self.all if {link.source, link.target} == {a, b})

    def around(self, node: Node) -> tuple[Link, ...]:
        """Every link that isolates the node when cut."""
        return tuple(link for link in self.all if node in (link.source, link.target))

    def restore(self) -> None:
        each(self.all, Link.restore)

    def problems(self) -> list[str]:
        return [f"link {link} is still cut or slowed" for link in self.all if not link.is_clear()]


def each(links: Iterable[Link], verb: Callable[[Link], None]) -> None:
    """Do the same to several links at the same moment, one thread each.

    One after the other would be another fault: while some links of a node are closed and others are not yet, its peers
    see a *partial* partition, and ``pause_minority`` then pauses one of the healthy ones too (seen on 3.10.8).
    """
    chosen = tuple(links)
    with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
        for done in [pool.submit(verb, link) for link in chosen]:
            done.result()
