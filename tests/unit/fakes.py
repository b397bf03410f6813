"""A stack of dictionaries: what the core asks of the world, answered from memory. Import it as ``tests.unit.fakes``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_rmqha import waiting
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.links import Link, Links
from pytest_rmqha.logs import AllowedLog, diagnoses, told, unexpected
from pytest_rmqha.outside import ClientWire
from pytest_rmqha.steady import SteadyState
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.vip import Vip
from tests.unit.fake_broker import FakeApi, Objects
from tests.unit.fake_client import FakeClient
from tests.unit.fake_containers import Answer, FakeContainers

__all__ = [
    "Answer", "FakeApi", "FakeClient", "FakeContainers", "FakeFilter", "FakePage", "FakeProxies", "FakeStack", "Hands",
    "Objects", "World",
]  # fmt: skip


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

    def close(self, names: Sequence[str]) -> None:
        """Of the dictionary's proxies, each is there; a proxy that is made anew has no toxics."""
        self.done.append(f"close at once {' '.join(names)}")
        for name in names:
            self.enabled[name] = False
            self.taken.pop(name, None)

    def read(self, name: str) -> Mapping[str, Any]:
        return {"enabled": self.enabled.get(name, True), "listen": self.listen.get(name, "127.0.0.1:1")}

    def create(self, name: str, *, listen: str, upstream: str) -> None:
        self.done.append(f"create {name}")
        self.enabled[name], self.listen[name] = True, listen

    def delete(self, name: str) -> None:
        self.done.append(f"delete {name}")
        self.enabled.pop(name, None)
        self.taken.pop(name, None)

    def add_toxic(self, proxy: str, toxic: str, kind: str, stream: str, attributes: Mapping[str, Any]) -> None:
        self.taken.setdefault(proxy, []).append(toxic)

    def remove_toxic(self, proxy: str, toxic: str) -> None:
        self.taken[proxy].remove(toxic)

    def toxics(self, proxy: str) -> tuple[str, ...]:
        return tuple(self.taken.get(proxy, ()))


MATCHES = ("meta", "iifname", "oifname", "ip", "tcp", "udp")


class FakeFilter:
    """Rules that stand, or None; ``packets`` is what they have dropped. ``gone``: the member does not run."""

    def __init__(self) -> None:
        self.rules: tuple[tuple[str, str], ...] | None = None
        self.packets = 0
        self.gone = False

    def _asked(self) -> None:
        if self.gone:
            raise ToolFailed("no network to look into")

    def drop(self, rules: Sequence[tuple[str, str]]) -> None:
        self._asked()
        if self.rules is not None or not rules:
            raise ToolFailed(f"{list(rules)} on top of {self.rules}")
        for hook, match in rules:
            if hook not in ("input", "output") or match.split()[0] not in MATCHES:
                raise ToolFailed(f"no such rule: {hook} {match}")
        self.rules, self.packets = tuple(rules), 0

    def lift(self) -> None:
        self._asked()
        self.rules = None

    def dropped(self) -> int | None:
        self._asked()
        return None if self.rules is None else self.packets


class FakePage:
    """A statistics page; ``servers`` None is a page that does not answer."""

    def __init__(self) -> None:
        self.servers: dict[str, str] | None = {"amqp/rmq1": "UP", "amqp/rmq2": "UP"}
        self.check = "L7OK"

    def states(self) -> Mapping[str, str]:
        if self.servers is None:
            raise ToolFailed("no page")
        return dict(self.servers)

    def checks(self) -> Mapping[str, str]:
        return {server: self.check if state == "UP" else "L4CON" for server, state in self.states().items()}

    def addresses(self) -> Mapping[str, str]:
        return dict.fromkeys(self.states(), "")


class FakeRedirect:
    """A redirection in memory; ``count`` connections took it, None when it is not in place."""

    def __init__(self) -> None:
        self.count: int | None = None

    def put(self) -> None:
        self.count = 0

    def lift(self) -> None:
        self.count = None

    def connections(self) -> int | None:
        return self.count


@dataclass
class World:
    """Three brokers rmq1..3 (rabbit@host1..3), every link between them, two balancers lb1 and lb2; lb1 has the VIP."""

    size: int = 3
    timeline: Timeline = field(default_factory=Timeline)
    proxies: FakeProxies = field(default_factory=FakeProxies)
    holders: list[str] = field(default_factory=lambda: ["lb1"])
    stopped: set[tuple[str, str]] = field(default_factory=set)
    frozen: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        numbers = range(1, self.size + 1)
        self.names = [f"rabbit@host{n}" for n in numbers]
        self.containers = FakeContainers(*(f"rmq{n}" for n in numbers), "lb1", "lb2")
        self.containers.says = self._says
        objects = Objects()
        self.apis = [FakeApi(self.names, objects) for _ in numbers]
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
        """``ip addr`` and ``pgrep``: the holders, and (service, program) in ``stopped``, dead, or ``frozen``, in state T."""
        if command[0] == "ip":
            own = "1: lo    inet 127.0.0.1/8 scope host lo\n"
            return Answer(out=own + ("2: eth0    inet 192.0.2.100/32 scope global" if service in self.holders else ""))
        if command[0] == "pgrep":
            program, in_state_t = (service, command[-1]), "T" in command
            if program in self.stopped:
                return Answer(code=1)
            return Answer(code=0 if (program in self.frozen) == in_state_t else 1)
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

    def see_cut_links(self) -> None:
        """Each broker looks at its links: a peer behind one that is not clear does not run, for it."""
        for link in self.links.all:
            self.apis[self.nodes.index(link.source)].seen[link.target.name]["running"] = link.is_clear()

    def finds(self, node: Node) -> None:
        self.apis[self.nodes.index(node)].mute = False
        for api in self.apis:
            api.seen[node.name]["running"] = True


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
        self.leases, self.worn = 0, False
        self.logged: dict[str, tuple[str, str]] = {}

    def api_at(self, address: str) -> FakeApi:
        return self.api

    def filter_on(self, service: str) -> FakeFilter:
        return FakeFilter()

    def note_changes(self, since: float, vhost: str) -> None:
        """A world of dictionaries has no logs."""

    def blind_watches(self) -> tuple[str, ...]:
        return self.blind

    def detour(self, source: str, target: str) -> Detour:
        return Detour(source, target, "192.0.2.200:21000", (f"{source}>{target}",), FakeProxies(), FakeRedirect())

    def unexpected_logs(self, since: float, allowed: Sequence[AllowedLog]) -> tuple[str, ...]:
        found = {member: unexpected(role, text, allowed) for member, (role, text) in self.logged.items()}
        return tuple(told(member, lines) for member, lines in found.items() if lines)

    def diagnoses(self, since: float) -> tuple[str, ...]:
        brokers = {member: diagnoses(text) for member, (role, text) in self.logged.items() if role == "broker"}
        return tuple(f"{member}: {'; '.join(found)}" for member, found in brokers.items() if found)

    def dump(self, name: str, error: str) -> None:
        self.dumps.append(error)
        if self.dump_fails:
            raise OSError("no space left")
