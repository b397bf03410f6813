"""A stack of dictionaries: what the core asks of the world, answered from memory. Import it as ``tests.unit.fakes``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_rmqha import waiting
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.client.ledger import Ledger
from pytest_rmqha.client.meter import Meter
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.links import Link, Links
from pytest_rmqha.outside import ClientWire
from pytest_rmqha.steady import SteadyState
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.vip import Vip


class Hands:
    """A clock whose time passes by sleeping only. ``stride`` is the least that a sleep takes, ``then`` what happens in it."""

    def __init__(self, stride: float = 0.0) -> None:
        self.at = 100.0
        self.stride = stride
        self.then: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.at

    def sleep(self, length: float) -> None:
        self.at += max(length, self.stride)
        self.then()

    def hold(self, patch: pytest.MonkeyPatch, module: str) -> None:
        """The waits of one module pass on this clock."""
        waits = functools.partial(waiting.await_match, clock=self.now, sleep=self.sleep)
        patch.setattr(f"pytest_rmqha.{module}.await_match", waits)
        patch.setattr(f"pytest_rmqha.{module}.now", self.now, raising=False)


@dataclass(frozen=True)
class Answer:
    code: int = 0
    out: str = ""
    err: str = ""


class FakeContainers:
    """Service -> docker's word for its state. ``says`` answers commands; ``done`` is what was asked for, in order."""

    def __init__(self, *services: str) -> None:
        self.states = dict.fromkeys(services, "running")
        self.says: Callable[[str, tuple[str, ...]], Answer] = lambda _service, _command: Answer()
        self.done: list[str] = []

    def _becomes(self, verb: str, service: str, state: str) -> None:
        self.done.append(f"{verb} {service}")
        self.states[service] = state

    def state(self, service: str) -> str:
        return self.states[service]

    def kill(self, service: str, signal: str = "SIGKILL") -> None:
        self._becomes("kill", service, "exited")

    def stop(self, service: str, grace: float = 30) -> None:
        self._becomes("stop", service, "exited")

    def start(self, service: str) -> None:
        self._becomes("start", service, "running")

    def pause(self, service: str) -> None:
        self._becomes("pause", service, "paused")

    def unpause(self, service: str) -> None:
        if self.states[service] == "paused":
            self._becomes("unpause", service, "running")

    def exec(self, service: str, *command: str, user: str = "") -> Answer:
        return self.says(service, command)

    def must(self, service: str, *command: str, user: str = "") -> str:
        self.done.append(f"{service}: {' '.join(command)}")
        answer = self.says(service, command)
        if answer.code != 0:
            raise ToolFailed(f"{' '.join(command)} ended with {answer.code}")
        return answer.out

    def logs(self, service: str, tail: int = 5000) -> str:
        return ""


class FakeApi:
    """One node's management API. ``mute``: nothing answers. ``running``: the peers it sees; ``wrote``: what was put."""

    def __init__(self, peers: Sequence[str]) -> None:
        self.mute = False
        self.seen: dict[str, dict[str, Any]] = {name: {"name": name, "running": True} for name in peers}
        self.found: list[dict[str, Any]] = []
        self.exported: dict[str, Any] = {"users": [], "queues": []}
        self.wrote: list[tuple[Any, ...]] = []
        self.cluster_name = "rabbit@fake"
        self.connected: list[dict[str, Any]] = []

    def _asked(self) -> None:
        if self.mute:
            raise ToolFailed("no answer")

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        self._asked()
        return list(self.seen.values())

    def queue(self, vhost: str, name: str) -> Mapping[str, Any]:
        self._asked()
        for queue in self.found:
            if (queue["vhost"], queue["name"]) == (vhost, name):
                return queue
        raise KeyError(name)

    def queues(self, vhost: str | None = None) -> Sequence[Mapping[str, Any]]:
        self._asked()
        return [queue for queue in self.found if vhost in (None, queue["vhost"])]

    def definitions(self) -> Mapping[str, Any]:
        self._asked()
        return self.exported

    def get(self, path: str, timeout: float | None = None) -> Any:
        self._asked()
        return self.connected if path == "connections" else {"name": self.cluster_name}

    def ask(self, method: str, path: str, body: Any = None, timeout: float | None = None) -> Any:
        self._asked()
        return None

    def _write(self, *what: Any) -> None:
        self._asked()
        self.wrote.append(what)

    def put_vhost(self, vhost: str) -> None:
        self._write("put vhost", vhost)

    def delete_vhost(self, vhost: str) -> None:
        self._write("delete vhost", vhost)

    def put_permissions(self, vhost: str, user: str) -> None:
        self._write("permissions", vhost, user)

    def put_user(self, user: str, password: str, tags: str = "") -> None:
        self._write("user", user)

    def put_policy(
        self, vhost: str, name: str, pattern: str, definition: Mapping[str, Any], apply_to: str = "queues"
    ) -> None:
        self._write("policy", vhost, name, pattern, dict(definition))

    def put_queue(
        self, vhost: str, name: str, arguments: Mapping[str, Any], durable: bool = True, node: str | None = None
    ) -> None:
        self._write("queue", vhost, name, dict(arguments), node)

    def put_exchange(self, vhost: str, name: str, kind: str = "direct") -> None:
        self._write("exchange", vhost, name)

    def put_binding(self, vhost: str, exchange: str, queue: str, key: str) -> None:
        self._write("binding", vhost, exchange, queue, key)

    def queue_action(self, vhost: str, name: str, action: str) -> None:
        self._write("action", vhost, name, action)


class FakeProxies:
    """A toxiproxy server in memory: proxy -> enabled, toxics and where it listens."""

    def __init__(self) -> None:
        self.enabled: dict[str, bool] = {}
        self.taken: dict[str, list[str]] = {}
        self.listen: dict[str, str] = {}
        self.done: list[str] = []

    def enable(self, name: str, on: bool) -> None:
        self.done.append(f"{'open' if on else 'close'} {name}")
        self.enabled[name] = on

    def read(self, name: str) -> Mapping[str, Any]:
        return {"enabled": self.enabled.get(name, True), "listen": self.listen.get(name, "127.0.0.1:1")}

    def add_toxic(self, proxy: str, toxic: str, kind: str, stream: str, attributes: Mapping[str, Any]) -> None:
        self.taken.setdefault(proxy, []).append(toxic)

    def remove_toxic(self, proxy: str, toxic: str) -> None:
        self.taken[proxy].remove(toxic)

    def toxics(self, proxy: str) -> tuple[str, ...]:
        return tuple(self.taken.get(proxy, ()))


class FakeFilter:
    """Rules that stand, or None; ``packets`` is what they have dropped."""

    def __init__(self) -> None:
        self.rules: tuple[tuple[str, str], ...] | None = None
        self.packets = 0

    def drop(self, rules: Sequence[tuple[str, str]]) -> None:
        self.rules = tuple(rules)

    def lift(self) -> None:
        self.rules = None

    def dropped(self) -> int | None:
        return None if self.rules is None else self.packets


class FakePage:
    """A statistics page; ``servers`` None is a page that does not answer."""

    def __init__(self) -> None:
        self.servers: dict[str, str] | None = {"amqp/rmq1": "UP", "amqp/rmq2": "UP"}

    def states(self) -> Mapping[str, str]:
        if self.servers is None:
            raise ToolFailed("no page")
        return self.servers


@dataclass
class World:
    """Three brokers rmq1..3 (rabbit@host1..3), every link between them, two balancers lb1 and lb2; lb1 has the VIP."""

    size: int = 3
    timeline: Timeline = field(default_factory=Timeline)
    proxies: FakeProxies = field(default_factory=FakeProxies)
    holders: list[str] = field(default_factory=lambda: ["lb1"])
    stopped: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        numbers = range(1, self.size + 1)
        self.names = [f"rabbit@host{n}" for n in numbers]
        self.containers = FakeContainers(*(f"rmq{n}" for n in numbers), "lb1", "lb2")
        self.containers.says = self._says
        self.apis = [FakeApi(self.names) for _ in numbers]
        self.nodes = tuple(
            Node(f"rmq{n}", f"host{n}", f"192.0.2.{n}", self.apis[n - 1], self.containers) for n in numbers
        )
        self.cluster = Cluster(self.nodes, self.timeline)
        self.links = Links(
            tuple(
                Link(a, b, (f"{a}>{b}:epmd", f"{a}>{b}:dist"), self.proxies)
                for a in self.nodes
                for b in self.nodes
                if a != b
            )
        )
        self.pages = {name: FakePage() for name in ("lb1", "lb2")}
        self.filters = {name: FakeFilter() for name in ("lb1", "lb2")}
        self.balancers = tuple(
            Balancer(name, name, "192.0.2.9", self.containers, self.pages[name], self.filters[name])
            for name in ("lb1", "lb2")
        )
        self.vip = Vip("192.0.2.100", self.balancers)

    def _says(self, service: str, command: tuple[str, ...]) -> Answer:
        """``ip addr`` and ``pgrep``: the holders, and the programs in ``stopped`` (service, program)."""
        if command[0] == "ip":
            return Answer(out="inet 192.0.2.100/32" if service in self.holders else "")
        if command[0] == "pgrep":
            return Answer(code=1 if (service, command[-1]) in self.stopped else 0)
        return Answer()

    def has_queue(self, name: str, *, vhost: str = "/", **payload: Any) -> dict[str, Any]:
        """The same queue in the answers of every node; change the returned payload to change them all."""
        queue = {"name": name, "vhost": vhost, **payload}
        for api in self.apis:
            api.found.append(queue)
        return queue

    def loses(self, node: Node) -> None:
        """As after a death that the others noticed: its API is mute and its peers say that it does not run."""
        self.apis[self.nodes.index(node)].mute = True
        for api in self.apis:
            api.seen[node.name]["running"] = False

    def finds(self, node: Node) -> None:
        self.apis[self.nodes.index(node)].mute = False
        for api in self.apis:
            api.seen[node.name]["running"] = True


class FakeClient:
    """A load client whose streams move by ``steps`` at each look at its progress; ``asked`` is every request, in order.

    ``missing``: what each drain still misses, the last for ever. ``fails``: verb -> what asking it raises.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.ledger = Ledger()
        self.steps: dict[str, tuple[int, int]] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.missing = [0]
        self.fails: dict[str, Exception] = {}

    @property
    def verbs(self) -> list[str]:
        """What was asked, a look at the progress left out."""
        return [verb for verb, _ in self.asked if verb != "progress"]

    def arguments(self, verb: str) -> list[dict[str, Any]]:
        return [arguments for asked, arguments in self.asked if asked == verb]

    def ask(self, verb: str, within: float = 30, **arguments: Any) -> Mapping[str, Any]:
        self.asked.append((verb, arguments))
        if verb in self.fails:
            raise self.fails[verb]
        if verb == "publish":
            stream = arguments["stream"]
            self.ledger.stream(stream, arguments["queue"])
            self.counts.setdefault(stream, {"confirmed": 0, "delivered": 0})
        if verb == "progress":
            for stream, counts in self.counts.items():
                confirmed, delivered = self.steps.get(stream, (1, 1))
                counts["confirmed"] += confirmed
                counts["delivered"] += delivered
            return {"ok": True, "streams": {name: dict(counts) for name, counts in self.counts.items()}}
        if verb == "drain":
            return {"ok": True, "missing": self.missing.pop(0) if len(self.missing) > 1 else self.missing[0]}
        if verb == "dump":
            return {"ok": True, "dump": {**self.ledger.dump(), **Meter().dump()}}
        return {"ok": True}


class FakeStack:
    """A world as a lease takes it. ``dumps`` are the errors that evidence was asked for, empty when all was well."""

    def __init__(self, world: World, wire: FakeClient | None = None) -> None:
        self.cluster = world.cluster
        self.balancers = world.balancers
        self.vip: Vip | None = world.vip
        self.links: Links | None = world.links
        self.steady = SteadyState(world.cluster, world.balancers, world.vip, world.links)
        self.timeline = world.timeline
        self.wire: ClientWire | None = wire
        self.front = world.vip.address
        self.load_password = "secret"
        self.api = world.apis[0]
        self.dumps: list[str] = []
        self.blind: tuple[str, ...] = ()
        self.dump_fails = False

    def api_at(self, address: str) -> FakeApi:
        return self.api

    def filter_on(self, service: str) -> FakeFilter:
        return FakeFilter()

    def blind_watches(self) -> tuple[str, ...]:
        return self.blind

    def dump(self, name: str, error: str) -> None:
        self.dumps.append(error)
        if self.dump_fails:
            raise OSError("no space left")
