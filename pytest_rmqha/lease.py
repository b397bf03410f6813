"""A scenario leases the session's one cluster: steady state in, a vhost of its own, heal and steady state out.

The way out belongs to the scenario's *call*: a stack that does not come back whole is that scenario's red verdict.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.chaos import Chaos
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import HarnessError, InvariantNotUpheld, StackNotUp
from pytest_rmqha.links import Links
from pytest_rmqha.outside import BrokerApi, ClientWire, Filter
from pytest_rmqha.steady import SteadyState
from pytest_rmqha.timeline import Event, Timeline
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import Budget, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Access, Workload

STEADY_AFTER = seconds(60)
LOAD_USER = "rmqha-load"


class LeasedStack(Protocol):
    """What a lease needs of the stack."""

    cluster: Cluster
    balancers: tuple[Balancer, ...]
    vip: Vip | None
    links: Links | None
    steady: SteadyState
    timeline: Timeline
    wire: ClientWire | None

    @property
    def front(self) -> str: ...
    @property
    def load_password(self) -> str: ...
    def api_at(self, address: str) -> BrokerApi: ...
    def filter_on(self, service: str) -> Filter: ...
    def blind_watches(self) -> tuple[str, ...]: ...
    def dump(self, name: str, error: str) -> None: ...


@dataclass
class Stage:
    """What one scenario plays with. ``budget_scale`` multiplies the promises' budgets on slow machines (default 1)."""

    name: str
    stack: LeasedStack
    cluster: Cluster
    chaos: Chaos
    started: float
    budget_scale: float = 1.0
    workloads: list[Workload] = field(default_factory=list)

    @property
    def balancers(self) -> tuple[Balancer, ...]:
        return self.stack.balancers

    @property
    def vip(self) -> Vip:
        if self.stack.vip is None:
            raise HarnessError("this topology has no VIP; mark the scenario with rmq_requires('vip')")
        return self.stack.vip

    @property
    def links(self) -> Links:
        if self.stack.links is None:
            raise HarnessError("this topology has no links; mark the scenario with rmq_requires('links')")
        return self.stack.links

    @property
    def timeline(self) -> Timeline:
        return self.stack.timeline

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened since the scenario began."""
        return tuple(self.timeline.between(self.started, clock.now()))

    def budget(self, value: float) -> Budget:
        return seconds(value * self.budget_scale)

    def workload(self, *queues: str, host: str | None = None, **options: Any) -> Workload:
        """A load on declared queues, through the VIP unless ``host`` pins it to one address."""
        assert self.stack.wire is not None
        access = Access(host or self.stack.front, LOAD_USER, self.stack.load_password, self.cluster.vhost)

        def pending() -> int:
            """Messages in the workload's queues, unacknowledged ones included; a queue that can't be asked counts as one."""
            total = 0
            for queue in queues:
                try:
                    waiting = self.cluster.replicas(queue).messages
                    total += 1 if waiting is None else waiting
                except (HarnessError, KeyError):
                    total += 1
            return total

        workload = Workload(self.stack.wire, self.timeline, access, queues, pending=pending, **options)
        self.workloads.append(workload)
        return workload

    def mirrored(self, name: str, *, home: Node | None = None, copies: int | None = None, **policy: Any) -> str:
        """A durable queue with a mirror on every node, synchronised by itself and promoted only when in sync."""
        definition: dict[str, Any] = {
            "ha_mode": "all",
            "ha_sync_mode": "automatic",
            "ha_promote_on_failure": "when-synced",
            "ha_promote_on_shutdown": "when-synced",
            **policy,
        }
        self.cluster.policy(f"for-{name}", f"^{re.escape(name)}$", **definition)
        self.cluster.declare(name, home=home)
        wanted = copies or (
            len(self.cluster.nodes) if definition["ha_mode"] == "all" else int(definition.get("ha_params", 1))
        )
        self.cluster.await_synced(name, copies=wanted)
        return name

    def quorum(self, name: str, *, home: Node | None = None) -> str:
        """A quorum queue with a member on every node."""
        self.cluster.declare(name, home=home, x_queue_type="quorum")
        self.cluster.await_synced(name, copies=len(self.cluster.nodes))
        return name

    def name_through_the_vip(self) -> str:
        """The cluster's name as the management API behind the VIP tells it."""
        return str(self.stack.api_at(self.vip.address).get("cluster-name")["name"])

    @property
    def history(self) -> History | None:
        done = [w._history for w in self.workloads if w._history is not None]
        return done[-1] if done else None


@contextlib.contextmanager
def lease(stack: LeasedStack, name: str, chaos: Callable[[], Chaos], budget_scale: float = 1.0) -> Iterator[Stage]:
    """The stack for one scenario. Raises InvariantNotUpheld when it isn't whole again within 60 s after the scenario."""
    stack.steady.wait(within=seconds(60), error=StackNotUp, what=f"steady state before {name}")
    vhost = "rmqha." + re.sub(r"[^A-Za-z0-9]+", "-", name)[:60]
    api = stack.cluster.any_answering().api
    api.put_vhost(vhost)
    for user in ("rmqha-admin", LOAD_USER):
        api.put_permissions(vhost, user)
    started = stack.timeline.add("scenario.begin", name).at
    stage = Stage(name, stack, replace(stack.cluster, vhost=vhost), chaos(), started, budget_scale)
    try:
        yield stage
    except BaseException as error:
        with contextlib.suppress(Exception):
            stack.dump(name, "".join(traceback.format_exception(error)))
        try:
            _leave(stack, stage, vhost)
        except Exception as left:
            error.add_note(f"And the stack was not whole afterwards: {type(left).__name__}: {left}")
        raise
    with contextlib.suppress(Exception):
        stack.dump(name, "")
    try:
        _leave(stack, stage, vhost)
    except (InvariantNotUpheld, HarnessError) as error:
        with contextlib.suppress(Exception):
            stack.dump(name, "".join(traceback.format_exception(error)))
        raise


def _leave(stack: LeasedStack, stage: Stage, vhost: str) -> None:
    """Heal, be whole, and take the vhost away whatever came of it: one red scenario must not redden the next."""
    try:
        stage.chaos.heal_all()
        if stack.wire is not None:
            stack.wire.ask("reset", within=30)
        with stack.timeline.waiting("steady state afterwards"):
            stack.steady.wait(within=STEADY_AFTER, error=InvariantNotUpheld, what=f"steady state after {stage.name}")
        if blind := stack.blind_watches():
            raise HarnessError(f"nobody watched {', '.join(blind)}: what the timeline says of them is worth nothing")
    except BaseException:
        with contextlib.suppress(Exception):
            stack.cluster.any_answering().api.delete_vhost(vhost)
        raise
    stack.cluster.any_answering().api.delete_vhost(vhost)
    stack.timeline.add("scenario.end", stage.name)
