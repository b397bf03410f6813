"""A scenario leases the session's one cluster: steady state in, a vhost of its own, heal and steady state out.

The way out belongs to the scenario's *call*: a stack that does not come back whole is that scenario's red verdict.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_rmqha import clock
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.chaos import Chaos
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import HarnessError, InvariantNotUpheld, NoVerdict, StackNotUp
from pytest_rmqha.links import Links
from pytest_rmqha.logs import KNOWN, AllowedLog
from pytest_rmqha.outside import BrokerApi, ClientWire, Filter
from pytest_rmqha.steady import SteadyState
from pytest_rmqha.timeline import Event, Timeline
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Access, Workload

STEADY_AFTER = seconds(60)
LOAD_USER = "rmqha-load"
ENDS_THE_SESSION = (KeyboardInterrupt, SystemExit)


class LeasedStack(Protocol):
    """What a lease needs of the stack. ``leases`` counts them; ``worn``: one was left not whole, nothing heals it any more."""

    cluster: Cluster
    balancers: tuple[Balancer, ...]
    vip: Vip | None
    links: Links | None
    steady: SteadyState
    timeline: Timeline
    leases: int
    worn: bool

    @property
    def wire(self) -> ClientWire | None: ...
    @property
    def front(self) -> str: ...
    @property
    def load_password(self) -> str: ...
    def api_at(self, address: str) -> BrokerApi: ...
    def filter_on(self, service: str) -> Filter: ...
    def blind_watches(self) -> tuple[str, ...]: ...
    def detour(self, source: str, target: str) -> Detour: ...
    def unexpected_logs(self, since: float, allowed: Sequence[AllowedLog]) -> tuple[str, ...]: ...
    def diagnoses(self, since: float) -> tuple[str, ...]: ...
    def note_changes(self, since: float, vhost: str) -> None: ...
    def dump(self, name: str, error: str) -> None: ...


@dataclass
class Stage:
    """What one scenario plays with. ``allowed_logs``: lines in a member's log that it causes on purpose."""

    name: str
    stack: LeasedStack
    cluster: Cluster
    chaos: Chaos
    started: float
    allowed_logs: tuple[AllowedLog, ...] = ()
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

    def workload(self, *queues: str, host: str | None = None, **options: Any) -> Workload:
        """A load on declared queues, through the VIP unless ``host`` pins it to one address."""
        if self.stack.wire is None:
            raise HarnessError("the load client is not connected: the stack never came up whole")
        access = Access(host or self.stack.front, LOAD_USER, self.stack.load_password, self.cluster.vhost)

        def pending(more: Sequence[str] = ()) -> int:
            """Messages in the workload's queues and in ``more``, unacknowledged ones included. A queue that can't be asked
            counts as one, but one of ``more`` that is not there holds nothing.
            """
            total = 0
            for queue in dict.fromkeys((*queues, *more)):
                try:
                    waiting = self.cluster.replicas(queue).messages
                    total += 1 if waiting is None else waiting
                except HarnessError:
                    total += 1
                except KeyError:
                    total += queue in queues
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

    def detour_to_the_vip(self) -> Detour:
        """The way of the load client to the VIP's AMQP port, to be put in with ``faults.detour.detoured``."""
        return self.stack.detour("rmqha-client", f"{self.vip.address}:5672")

    def detour_between(self, balancer: Balancer, broker: Node) -> Detour:
        """The way of a balancer to a broker's AMQP port. NoVerdict if a check would not notice a proxy without a broker."""
        checks, servers = balancer.page.checks(), balancer.servers_of(broker, 5672)
        if not servers:
            raise NoVerdict(f"{balancer} has no server at {broker.address}:5672")
        if blind := [
            f"{s} by {checks.get(s) or 'nothing'}" for s in sorted(servers) if not checks.get(s, "").startswith("L7")
        ]:
            raise NoVerdict(
                f"{balancer} checks {', '.join(blind)}: an L4 check through a link proxy always succeeds, so it would show a "
                "dead broker as UP"
            )
        return self.stack.detour(balancer.service, f"{broker.address}:5672")

    def name_through_the_vip(self) -> str:
        """The cluster's name as the management API behind the VIP tells it."""
        return str(self.stack.api_at(self.vip.address).get("cluster-name")["name"])

    @property
    def history(self) -> History | None:
        done = [w._history for w in self.workloads if w._history is not None]
        return done[-1] if done else None


@contextlib.contextmanager
def lease(
    stack: LeasedStack, name: str, chaos: Callable[[], Chaos], allowed_logs: Sequence[AllowedLog] = ()
) -> Iterator[Stage]:
    """The stack for one scenario. Raises InvariantNotUpheld when it isn't whole again within 60 s after the scenario.

    An interrupt ends the session: there is evidence, faults are healed and the vhost goes (the stack may be kept), but
    nobody waits to see it whole, and it counts as worn. A second one breaks that off.
    """
    stack.leases += 1
    vhost = "rmqha." + re.sub(r"[^A-Za-z0-9]+", "-", name)[:60]
    try:
        with stack.timeline.waiting("steady state before"):
            stack.steady.wait(within=seconds(60), error=StackNotUp, what=f"steady state before {name}")
        _make_vhost(stack, vhost)
    except BaseException:
        stack.worn = True
        raise
    started = stack.timeline.add("scenario.begin", name).at
    stage = Stage(name, stack, replace(stack.cluster, vhost=vhost), chaos(), started, tuple(allowed_logs))
    try:
        yield stage
    except BaseException as error:
        with contextlib.suppress(Exception):
            stack.dump(name, "".join(traceback.format_exception(error)))
        try:
            if isinstance(error, ENDS_THE_SESSION):
                _abandon(stack, stage, vhost)
            else:
                _leave(stack, stage, vhost)
        except Exception as left:
            if isinstance(left, InvariantNotUpheld) and _is_ours(error):
                raise left from error  # the worst wins: what the stack did not keep outweighs what we could not do
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


def _is_ours(error: BaseException) -> bool:
    """Neither something that was asserted nor what ends a test or the session."""
    return isinstance(error, Exception) and not isinstance(error, AssertionError)


def _make_vhost(stack: LeasedStack, vhost: str) -> None:
    api = stack.cluster.any_answering().api
    try:
        api.put_vhost(vhost)
        for user in ("rmqha-admin", LOAD_USER):
            api.put_permissions(vhost, user)
    except BaseException:
        with contextlib.suppress(Exception):
            api.delete_vhost(vhost)
        raise


def _leave(stack: LeasedStack, stage: Stage, vhost: str) -> None:
    """Heal, be whole, and take the vhost away whatever came of it: one red scenario must not redden the next."""
    stack.worn = True
    try:
        stage.chaos.heal_all()
        _look_at_everything(stack, stage)
    except BaseException:
        try:
            _delete(stack, vhost)
        except Exception:  # its queues and policies would be the next scenario's
            stack.worn = True
        raise
    try:
        _delete(stack, vhost)
    except BaseException:
        stack.worn = True
        raise
    stack.timeline.add("scenario.end", stage.name)


def _look_at_everything(stack: LeasedStack, stage: Stage) -> None:
    """No look hides another: what the stack did not keep is raised first, and everything else is a note on it."""
    failures = _failures(lambda: _reset(stack), lambda: _await_steady(stack, stage))
    stack.worn = bool(failures)
    failures += _failures(lambda: _refuse_blind(stack), lambda: _audit_logs(stack, stage))
    if failures:
        worst = next((error for error in failures if isinstance(error, InvariantNotUpheld)), failures[0])
        for error in failures:
            if error is not worst:
                worst.add_note(f"And: {type(error).__name__}: {error}")
        raise worst


def _failures(*looks: Callable[[], None]) -> list[Exception]:
    found = []
    for look in looks:
        try:
            look()
        except Exception as error:
            found.append(error)
    return found


def _reset(stack: LeasedStack) -> None:
    if stack.wire is not None:
        stack.wire.ask("reset", within=30)


def _refuse_blind(stack: LeasedStack) -> None:
    if blind := stack.blind_watches():
        raise HarnessError(f"nobody watched {', '.join(blind)}: what the timeline says of them is worth nothing")


def _audit_logs(stack: LeasedStack, stage: Stage) -> None:
    if bad := stack.unexpected_logs(stage.started, stage.allowed_logs):
        raise InvariantNotUpheld(
            f"a member said what no fault of this scenario explains (rmq_allows_log excuses what it causes): {'; '.join(bad)}"
        )


def _delete(stack: LeasedStack, vhost: str) -> None:
    """A vhost with its queues takes a while, and a broker that just came back may be slow to answer: asked three times."""
    for left in (2, 1, 0):
        try:
            stack.cluster.any_answering().api.delete_vhost(vhost)
        except HarnessError:
            if not left:
                raise
        else:
            return


def _await_steady(stack: LeasedStack, stage: Stage) -> None:
    """What the brokers' logs say of a known trouble is said with the red: it is where to look, and excuses nothing."""
    try:
        with stack.timeline.waiting("steady state afterwards"):
            stack.steady.wait(within=STEADY_AFTER, error=InvariantNotUpheld, what=f"steady state after {stage.name}")
    except InvariantNotUpheld as error:
        known: tuple[str, ...] = ()
        with contextlib.suppress(HarnessError):  # a log that can't be read takes nothing from the verdict
            known = stack.diagnoses(stage.started)
        if not known:
            raise
        raise InvariantNotUpheld(f"{error}. {KNOWN}, {'; '.join(known)}") from error


def _abandon(stack: LeasedStack, stage: Stage, vhost: str) -> None:
    """Heal, and take the vhost away: what else ``_leave`` does is for a scenario that follows, or for a verdict."""
    stack.worn = True
    try:
        stage.chaos.heal_all()
    finally:
        with contextlib.suppress(Exception):
            stack.cluster.any_answering().api.delete_vhost(vhost)
