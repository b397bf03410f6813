"""A broker that was started without its peers: does it wait for them, and serve nobody meanwhile?

It waits when its own log says so and nothing is served for 5 s after that: every boot writes the line, and one that goes on
serves 0.7 to 1.3 s later (3.10.8). Or, whatever its log level, when for 70 s without a break its distribution port listens and
nothing else does: the same VM, up, and not serving. An ordinary boot serves within 15 s, and one that would go on alone has
dialled its dead peers for 40 s before (each several times, 7 s a try; 3.10.8), so 70 s is neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from plays.logs import lines_since
from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import BudgetSpent, ToolFailed
from pytest_rmqha.waiting import Budget, await_match, seconds

WAITING = "Waiting for Mnesia tables"
EPMD, DISTRIBUTION = 4369, 25672
BY_CHANCE = 32768
"""The kernel gives such ports and higher ones to whoever asks for any (``ip_local_port_range``, the default)."""
SAID_LONG_ENOUGH, LONG_ENOUGH = 5.0, 70.0
USUAL = 45.0
MOST = seconds(90)

LISTENING = re.compile(r"^\s*\d+:\s+([0-9A-F]+):([0-9A-F]{4})\s+\S+\s+0A\s", re.MULTILINE)


@dataclass(frozen=True)
class Lonely:
    """``served``: ports beside those of the cluster that it listened on, at any look. ``lasted``: seconds since the start.

    ``said``: its log has the line; ``said_for``: seconds since the first look that read it.
    ``silent_for``: seconds up to the last look in which its distribution port listened and nothing else did.
    """

    said: bool
    served: frozenset[int]
    silent_for: float
    lasted: float
    said_for: float = 0.0

    @property
    def waited(self) -> bool:
        return not self.served and (self.said_for >= SAID_LONG_ENOUGH or self.silent_for >= LONG_ENOUGH)

    def __str__(self) -> str:
        told = [
            f"started alone for {self.lasted:.0f} s: it {'said' if self.said else 'did not say'} that it waits for its peers",
            f"its distribution port alone listened for the last {self.silent_for:.0f} s",
        ]
        if self.served:
            told.append(f"it served on {', '.join(str(port) for port in sorted(self.served))}")
        return ", ".join(told)


def withheld(budget: Budget, lonely: Lonely) -> Budget:
    """``budget`` and the seconds beyond 45 for which we withheld the peers to look on (a silent log): no outage of the stack's."""
    return seconds(budget.stated + max(0.0, lonely.lasted - USUAL))


def watched_alone(node: Node, since: float) -> Lonely:
    """Watch a broker that was asked to start at ``since`` (monotonic seconds), until it waits, serves, or 90 s are over.

    A look that fails is no look; a distribution port that closes in between is another boot, and the count begins anew.
    """
    seen = Lonely(said=False, served=frozenset(), silent_for=0.0, lasted=0.0)
    silent_since: list[float] = []
    said_since: list[float] = []

    def look() -> Lonely:
        nonlocal seen
        ports, at = listens_on(node), clock.now()
        if DISTRIBUTION not in ports:
            silent_since.clear()
        elif not silent_since:
            silent_since.append(at)
        if not said_since and says_that_it_waits(node, since):
            said_since.append(at)
        silent_for = at - silent_since[0] if silent_since else 0.0
        said_for = at - said_since[0] if said_since else 0.0
        seen = Lonely(bool(said_since), seen.served | served_on(ports), silent_for, at - since, said_for)
        return seen

    try:
        return await_match(
            look,
            lambda lonely: lonely.waited or bool(lonely.served),
            what=f"{node} waiting for its peers",
            within=MOST,
            every=0.5,
            ignore=(ToolFailed,),
        )
    except BudgetSpent:
        return seen


def says_that_it_waits(node: Node, since: float) -> bool:
    return any(WAITING in line for line in lines_since(node.containers, node.service, since))


def served_on(ports: frozenset[int]) -> frozenset[int]:
    """Those beside the cluster's own; one that the kernel chose only once the distribution port is among them.

    Early in its boot a broker listens on such a port for a moment: it takes another name to look whether its own is taken.
    """
    return frozenset(port for port in ports - {EPMD, DISTRIBUTION} if port < BY_CHANCE or DISTRIBUTION in ports)


def listens_on(node: Node) -> frozenset[int]:
    """Its TCP ports that others can reach, from its own /proc: those on a loopback are left out, the engine's resolver too.

    ToolFailed when the table is not there: a host always has its first line, so an empty answer was lost on the way.
    """
    said = node.containers.exec(node.service, "cat", "/proc/net/tcp", "/proc/net/tcp6").out
    if "local_address" not in said:
        raise ToolFailed(f"{node} does not tell what it listens on: {said.strip()[:100]!r}")
    return frozenset(int(port, 16) for address, port in LISTENING.findall(said) if not _is_loopback(address))


def _is_loopback(address: str) -> bool:
    """As the kernel writes it, in words of the host's order: 127.0.0.11 is 0B00007F, ::ffff:127.0.0.1 ends so, ::1 has 01000000."""
    is_v4 = len(address) == 8 or address.startswith("0" * 16 + "FFFF0000")
    return address.endswith("7F") if is_v4 else address == "0" * 24 + "01000000"
