"""The virtual address, live: who holds it, asked of every balancer's own interface."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_rmqha.balancers import Balancer
from pytest_rmqha.errors import InvariantNotUpheld, ToolFailed
from pytest_rmqha.waiting import Budget, await_match, seconds


@dataclass(frozen=True)
class Vip:
    """One address that exactly one of the balancers should hold."""

    address: str
    balancers: tuple[Balancer, ...]

    def held_by(self, balancer: Balancer) -> bool:
        """Is the address on an interface of this balancer? A host that does not run holds nothing.

        All addresses are asked for: a running host has at least its loopback's, so an empty answer was lost on the way (the
        engine loses one now and then) and does not mean that the address is gone.
        """
        if balancer.state() != "running":
            return False
        answer = balancer.containers.exec(balancer.service, "ip", "-4", "-o", "addr", "show")
        if answer.code != 0 or " inet " not in f" {answer.out}":
            said = answer.err.strip() or answer.out.strip() or "nothing"
            raise ToolFailed(f"asking {balancer} for its addresses ended with {answer.code}: {said[:200]}")
        return f" {self.address}/" in answer.out

    def holders(self) -> tuple[Balancer, ...]:
        return tuple(b for b in self.balancers if self.held_by(b))

    def holder(self, *, within: Budget = seconds(10)) -> Balancer:
        """The one holder; waits until there is exactly one."""
        found = await_match(
            self.holders,
            lambda h: len(h) == 1,
            what=f"exactly one holder of {self.address}",
            within=within,
            ignore=(ToolFailed,),
        )
        return found[0]

    def other(self, balancer: Balancer) -> Balancer:
        return next(b for b in self.balancers if b != balancer)

    def await_holder(self, balancer: Balancer, *, within: Budget) -> None:
        """Wait until ``balancer``, and nobody else, holds the address: a promise of the stack, whatever struck it."""
        await_match(
            self.holders,
            lambda h: h == (balancer,),
            what=f"{self.address} held by {balancer} alone",
            within=within,
            every=0.1,
            ignore=(ToolFailed,),
            error=InvariantNotUpheld,
        )

    def await_holders(self, count: int, *, within: Budget) -> tuple[Balancer, ...]:
        return await_match(
            self.holders,
            lambda h: len(h) == count,
            what=f"{count} holders of {self.address}",
            within=within,
            ignore=(ToolFailed,),
            error=InvariantNotUpheld,
        )
