"""Packet filters in a container's network namespace, set from a helper and read back with their counters.

A syntax error in nft leaves *no* cut, so a rule counts only when it is listed again afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.errors import ToolFailed

TABLE = "rmqha_fault"
HOOKS = ("input", "output")


@dataclass(frozen=True)
class PacketFilter:
    """Drops in and out of one member. ``rules`` are nft match expressions without verdict, each for a hook (input, output)."""

    engine: Engine
    service: str
    image: str

    def drop(self, rules: Sequence[tuple[str, str]]) -> None:
        """All rules in one transaction. Where some stand already these are left alone, and it is ToolFailed."""
        if not rules or any(hook not in HOOKS for hook, _ in rules):
            raise ToolFailed(
                f"drop rules for {self.service}: {list(rules)}; at least one, each for {' or '.join(HOOKS)}"
            )
        lines = [f"create table inet {TABLE}", f"table inet {TABLE} {{"]
        for hook in HOOKS:
            lines.append(f"  chain {hook} {{\n    type filter hook {hook} priority -10; policy accept;")
            lines += [f"    {match} counter drop" for where, match in rules if where == hook]
            lines.append("  }")
        lines.append("}")
        script = "nft -f - <<'END'\n" + "\n".join(lines) + "\nEND\nnft list table inet " + TABLE
        answer = self.engine.in_network_of(self.service, self.image, script)
        if answer.code != 0 or answer.out.count(" drop") != len(rules):
            raise ToolFailed(f"nft rules did not stand on {self.service}: {(answer.err or answer.out).strip()[:400]}")

    def lift(self) -> None:
        """Remove the table; none there is fine. A table that stays raises ToolFailed."""
        script = f"nft delete table inet {TABLE} 2>/dev/null || true; nft list tables"
        answer = self.engine.in_network_of(self.service, self.image, script)
        if answer.code != 0 or TABLE in answer.out:
            raise ToolFailed(
                f"the drop rules on {self.service} could not be removed: {(answer.err or answer.out).strip()[:400]}"
            )

    def dropped(self) -> int | None:
        """Packets dropped so far; None when no rules stand, which nft itself must say: its failure is ToolFailed."""
        script = f"nft list tables; nft list table inet {TABLE} 2>/dev/null || true"
        answer = self.engine.in_network_of(self.service, self.image, script)
        if answer.code != 0:
            raise ToolFailed(
                f"the drop rules on {self.service} could not be listed: {(answer.err or answer.out).strip()[:400]}"
            )
        if TABLE not in answer.out:
            return None
        return sum(int(n) for n in re.findall(r"packets (\d+)", answer.out))
