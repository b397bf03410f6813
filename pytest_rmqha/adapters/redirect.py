"""A redirection in a member's network namespace (nftables ``dnat``), set from a helper and read back with its counter.

It catches new connections only, so the ones that there are get broken (``ss -K``), when it is put in and when it goes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.errors import ToolFailed


@dataclass(frozen=True)
class NetworkRedirect:
    """What ``service`` sends to ``target`` goes to ``via``; both are ``address:port``."""

    engine: Engine
    service: str
    image: str
    target: str
    via: str

    @property
    def _table(self) -> str:
        return "rmqha_detour_" + re.sub(r"\W", "_", self.target)

    def put(self) -> None:
        address, port = self.target.split(":")
        lines = [
            f"table ip {self._table} {{",
            "  chain output {",
            "    type nat hook output priority -100; policy accept;",
            f"    ip daddr {address} tcp dport {port} counter dnat to {self.via}",
            "  }",
            "}",
        ]
        script = (
            "nft -f - <<'END'\n" + "\n".join(lines) + f"\nEND\nnft list table ip {self._table}\n{_broken(self.target)}"
        )
        answer = self.engine.in_network_of(self.service, self.image, script)
        if answer.code != 0 or "dnat to" not in answer.out:
            raise ToolFailed(f"the detour on {self.service} did not stand: {(answer.err or answer.out).strip()[:400]}")

    def lift(self) -> None:
        """Remove it; none there is fine. One that stays raises ToolFailed."""
        script = f"nft delete table ip {self._table} 2>/dev/null || true\n{_broken(self.target)}\nnft list tables"
        answer = self.engine.in_network_of(self.service, self.image, script)
        if answer.code != 0 or self._table in answer.out:
            raise ToolFailed(
                f"the detour on {self.service} could not be removed: {(answer.err or answer.out).strip()[:400]}"
            )

    def connections(self) -> int | None:
        script = f"nft list tables; nft list table ip {self._table} 2>/dev/null || true"
        answer = self.engine.in_network_of(self.service, self.image, script)
        if answer.code != 0:
            raise ToolFailed(f"the detour on {self.service} could not be listed: {answer.err.strip()[:400]}")
        if self._table not in answer.out:
            return None
        return sum(int(n) for n in re.findall(r"packets (\d+)", answer.out))


def _broken(target: str) -> str:
    """Close this member's connections to ``target`` (translated ones keep it as their peer) and fail if one is still there."""
    address, port = target.split(":")
    to = f"state connected dst {address} dport = {port}"
    return (
        f"old=$(ss -Htn {to} | awk '{{print $4}}'); ss -K {to} >/dev/null; sleep 0.2\n"
        f"for one in $old; do if ss -Htn {to} | awk '{{print $4}}' | grep -Fxq \"$one\"; "
        'then echo "still connected: $one" >&2; exit 9; fi; done'
    )
