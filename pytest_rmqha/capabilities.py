"""What a stack can be asked to show: capability -> why it lacks it, or nothing when it has it.

What the files of a configuration decide (``reference``, ``vip_management``) is asked by ``selection``.

``rmq_requires("mirrors", "vip")`` names what a scenario needs; a scenario that needs what is lacking is left out, with
this reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_rmqha.topology import Topology

Lack = Callable[[Topology, str], str]

MIRRORING = ("3.8", "3.10")
MNESIA = ("3.8", "3.10", "4.0")
KHEPRI = ("4.3",)
RAM_NODES = ("3.8", "3.10", "4.0")


def _only_on(lines: tuple[str, ...], what: str) -> Lack:
    return lambda _topology, line: "" if line in lines else f"line {line} has no {what}, lines {', '.join(lines)} have"


def _brokers(least: int) -> Lack:
    return lambda t, _line: (
        "" if len(t.brokers) >= least else f"{t.name} has {len(t.brokers)} of the {least} brokers it takes"
    )


def _exactly(number: int) -> Lack:
    """Scenarios that name each broker: the one that is struck, and those that go on without it."""
    return lambda t, _line: (
        "" if len(t.brokers) == number else f"{t.name} has {len(t.brokers)} brokers, it takes exactly {number}"
    )


def _balancers(least: int) -> Lack:
    return lambda t, _line: (
        "" if len(t.balancers) >= least else f"{t.name} has {len(t.balancers)} of the {least} balancers it takes"
    )


def _ram(topology: Topology, line: str) -> str:
    if line not in RAM_NODES:
        return f"line {line} has no RAM nodes"
    return "" if any(b.node_type == "ram" for b in topology.brokers) else f"{topology.name} has disc nodes only"


def _no_ram(topology: Topology, _line: str) -> str:
    return f"{topology.name} has RAM nodes" if any(b.node_type == "ram" for b in topology.brokers) else ""


def _discs(least: int) -> Lack:
    def lack(topology: Topology, _line: str) -> str:
        discs = sum(b.node_type == "disc" for b in topology.brokers)
        return "" if discs >= least else f"{topology.name} has {discs} of the {least} disc nodes it takes"

    return lack


CAPABILITIES: Mapping[str, Lack] = {
    "mirrors": _only_on(MIRRORING, "mirrored queues"),
    "no_mirrors": lambda _t, line: "" if line not in MIRRORING else f"line {line} still has mirrored queues",
    "mnesia": _only_on(MNESIA, "Mnesia"),
    "khepri": _only_on(KHEPRI, "Khepri store by default"),
    "reference": lambda _topology, _line: "",
    "vip_management": lambda _topology, _line: "",
    "quorum": lambda _topology, _line: "",
    "single": _exactly(1),
    "links": _brokers(2),
    "two_nodes": _brokers(2),
    "three_nodes": _exactly(3),
    "five_nodes": _brokers(5),
    "balancers": _balancers(1),
    "two_balancers": _balancers(2),
    "vip": lambda t, _line: "" if t.vip else f"{t.name} has no VIP",
    "ram": _ram,
    "all_disc": _no_ram,
    "two_discs": _discs(2),
}


def lacking(needed: tuple[str, ...], topology: Topology, line: str, more: Mapping[str, Lack] | None = None) -> str:
    """Why the stack cannot show what is needed, all reasons in one line; empty when it can."""
    table = {**CAPABILITIES, **(more or {})}
    reasons = (table[name](topology, line) for name in needed)
    return "; ".join(reason for reason in reasons if reason)
