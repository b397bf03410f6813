"""Ways that lead through a link proxy for a while: from a balancer to a broker, or from the clients to the VIP.

Between brokers the proxies stand from boot on (``links``). These ways have none, because a proxy changes what a health
check sees: toxiproxy accepts first and dials afterwards, so an **L4 check through it always succeeds**
(Shopify/toxiproxy#265). A detour is therefore put in for the scenario that wants the way bad and taken out after it, and
a balancer whose check does not speak to the broker gets none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pytest_rmqha.links import Proxied
from pytest_rmqha.outside import LinkProxies


class Redirect(Protocol):
    """Network address translation in one member's namespace. Each change breaks the connections that it concerns."""

    def put(self) -> None: ...
    def lift(self) -> None: ...
    def connections(self) -> int | None:
        """How many connections took the detour so far; None when none is in place."""


@dataclass(frozen=True)
class Detour(Proxied):
    """From member ``source`` (a compose service) to ``target`` (``address:port``), by way of ``via`` (``address:port``)."""

    source: str
    target: str
    via: str
    proxies: tuple[str, ...]
    server: LinkProxies = field(repr=False, compare=False)
    redirect: Redirect = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.source}→{self.target}"

    def put(self) -> None:
        """The proxy first, then the redirection: nobody is sent to where nobody listens."""
        self.server.create(self.proxies[0], listen=self.via, upstream=self.target)
        self.redirect.put()

    def lift(self) -> None:
        """The straight way again, for new connections; those that took the detour are broken. Idempotent."""
        self.redirect.lift()
        self.server.delete(self.proxies[0])

    def is_in_use(self) -> bool:
        return (self.redirect.connections() or 0) > 0

    def is_lifted(self) -> bool:
        return self.redirect.connections() is None
