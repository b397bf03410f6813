"""The watchers of a stack that stands: of each balancer's backends and, of each, whether it holds the VIP."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_rmqha.adapters.watch import Watch
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.vip import Vip


@dataclass
class Watchers:
    """``running``: none before ``start`` and after ``stop``."""

    timeline: Timeline
    balancers: Sequence[Balancer]
    vip: Vip | None
    running: list[Watch] = field(default_factory=list)

    def start(self) -> None:
        watches = [Watch(b.service, self.timeline, "backend", functools.partial(_backends, b)) for b in self.balancers]
        if (vip := self.vip) is not None:
            watches += [
                Watch(vip.address, self.timeline, "vip", functools.partial(_holds, vip, b), every=0.15)
                for b in vip.balancers
            ]
        for watch in watches:
            watch.start()
        self.running = watches

    def replace_blind(self) -> tuple[str, ...]:
        """Names of watchers that see nothing any more; others take their place, so that the next scenario is watched."""
        if self.balancers and not self.running:
            return ("the balancers: no watcher was started",)
        blind = [watch for watch in self.running if watch.is_blind]
        self.running = [watch.again() if watch in blind else watch for watch in self.running]
        return tuple(watch.name for watch in blind)

    def stop(self) -> None:
        for watch in self.running:
            watch.stop()
        self.running.clear()


def _backends(balancer: Balancer) -> Mapping[str, str]:
    return {f"{balancer}/{server}": state for server, state in balancer.backends().items()}


def _holds(vip: Vip, balancer: Balancer) -> Mapping[str, str]:
    return {str(balancer): "held" if vip.held_by(balancer) else "not held"}
