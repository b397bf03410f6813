"""One part of the run out of N: plays are dealt out so that each part takes about as long.

Every part is worked out by itself, on another machine maybe, so only what all of them know may decide: the plays that run
and the costs of the shipped table, never what one machine has measured.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_rmqha import setting_values as values

MOST = 99
ON_EVERY_STACK = frozenset({"G10", "G11"})
"""Ids that are asked of each part's own stack: what is whole at the start, and what the faults of *this* part left of it."""


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``, both counted from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def read_shard(text: str, _base: Path) -> Shard | None:
    """``2/4`` as a value; empty is the whole run."""
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= MOST:
        raise values.BadValue(
            f"I/N with I from 1 to N, and N up to {MOST}", "write e.g. 1/3 for the first part of three"
        )
    return Shard(int(match[1]), int(match[2]))


def dealt(costs: Mapping[str, float], count: int) -> dict[str, int]:
    """Name -> the part (from 1) that it belongs to: the dearest first, each to the part that has least so far.

    The same for the same costs, whatever the order of the mapping. The longest part is at most a third longer than the
    best possible one (Graham's bound for this rule).
    """
    loads = [0.0] * count
    parts: dict[str, int] = {}
    for name in sorted(costs, key=lambda name: (-costs[name], name)):
        part = min(range(count), key=lambda n: (loads[n], n))
        loads[part] += costs[name]
        parts[name] = part + 1
    return parts


def asked_in(count: int, struck: Iterable[int], *, after_faults: bool) -> frozenset[int]:
    """The parts in which a test of ``ON_EVERY_STACK`` is asked. ``struck``: those that inject a fault before it.

    One that looks at what faults have left is not asked where there is none: it would prove nothing there. Where no part
    strikes it is asked in all, and says so itself.
    """
    return (frozenset(struck) if after_faults else frozenset()) or frozenset(range(1, count + 1))


def digest(nodeids: Iterable[str]) -> str:
    """What was cut into parts, so that a merge can tell whether the parts are of one whole."""
    return hashlib.sha256("\n".join(sorted(nodeids)).encode()).hexdigest()[:16]


def why_elsewhere(part: int, count: int) -> str:
    return f"belongs to shard {part}/{count}"


def is_elsewhere(reason: str) -> bool:
    return reason.startswith("belongs to shard ")


def missing(shards: Sequence[Mapping[str, object]]) -> list[str]:
    """Sentences about what does not fit together: parts of another whole, and parts that are not there."""
    if not shards:
        return []
    wholes = {(shard.get("count"), shard.get("of")) for shard in shards}
    if len(wholes) > 1:
        return ["the shards are not parts of one whole: other tests, or another number of parts"]
    count = int(str(shards[0]["count"]))
    there = {int(str(shard["index"])) for shard in shards}
    return [f"shard {n}/{count} is not among the runs" for n in range(1, count + 1) if n not in there]
