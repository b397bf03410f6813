"""A run's stack from nothing to steady and back to nothing: the order in which things are made, and how long each took."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_rmqha import data
from pytest_rmqha.adapters import bring_up, evidence, keeping, member_logs, own_container
from pytest_rmqha.adapters.bring_up import ADMIN
from pytest_rmqha.adapters.compose import ComposeProject
from pytest_rmqha.adapters.engine import RUN_LABEL, Engine
from pytest_rmqha.adapters.haproxy import OWN_PORT, OWN_URI, StatisticsPage
from pytest_rmqha.adapters.management import Management
from pytest_rmqha.adapters.netfilter import PacketFilter
from pytest_rmqha.adapters.redirect import NetworkRedirect
from pytest_rmqha.adapters.run_secrets import Secrets
from pytest_rmqha.adapters.toxiproxy import Proxies
from pytest_rmqha.adapters.watch import Watch, started
from pytest_rmqha.adapters.wire import Wire
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.config.folder import ConfigFile, layered
from pytest_rmqha.config.override import (
    DISTRIBUTION_PORTS,
    RUNNER_HOST,
    TOXIPROXY_HOST,
    host_of,
    link_addresses,
    override,
    refuse_without_room,
)
from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import HarnessError, StackNotUp, UserInputError
from pytest_rmqha.links import Link, Links
from pytest_rmqha.logs import AllowedLog
from pytest_rmqha.outside import ClientWire
from pytest_rmqha.steady import SteadyState
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.topology import Topology
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import seconds

DETOUR_FIRST = 21000


@dataclass
class Stack:
    """The whole of one run. ``up`` brings it to steady state or raises StackNotUp; ``down`` removes all of it."""

    run: str
    topology: Topology
    images: Mapping[str, str]
    folders: list[Path]
    compose_file: Path
    reports: Path
    timeline: Timeline
    secrets: Secrets = field(default_factory=Secrets)
    took: dict[str, float] = field(default_factory=dict)
    dump_policy: str = "on-failure"
    own: Path | None = None
    variant: str | None = None
    leases: int = 0
    worn: bool = False
    failed_rebuilds: int = 0
    on_load: Callable[[float, int, int], None] = lambda _at, _confirmed, _delivered: None

    def __post_init__(self) -> None:
        self.engine = Engine(self.run)
        self.config_files = self.files_of_members()
        refuse_without_room(self.topology)
        self.link_map = link_addresses(self.topology)
        labels = {
            RUN_LABEL: self.run,
            **own_container.owner_labels(),
            "rmqha.started": f"{time.time():.0f}",
            keeping.DIGEST: self.digest(),
        }
        self.engine.helper_labels = labels
        self.reports.mkdir(parents=True, exist_ok=True)
        self.override_file = self.reports / "compose.override.json"
        self.override_file.write_text(override(self.topology, self.images, labels, self.link_map))
        self.project = ComposeProject(f"rmqha-{self.run}", [self.compose_file, self.override_file], self.environment)
        self._watches: list[Watch] = []
        self._detours: dict[str, int] = {}
        self.wire: ClientWire | None = None
        self._make_handles()

    def files_of_members(self) -> dict[str, list[ConfigFile]]:
        """service -> its configuration files as they are now: reference, line, topology, the user's, the variant's."""
        folders = [*self.folders, *([data.variant_folder(self.variant)] if self.variant else [])]
        roles = [(b, "broker") for b in self.topology.brokers] + [(b, "balancer") for b in self.topology.balancers]
        return {m.service: list(layered(folders, m.service, role, m.hostname, self.own).values()) for m, role in roles}

    def digest(self) -> str:
        """SHA-256 over what makes this stack: topology, images (what the tags stand for now) and every file."""
        made_of: list[object] = [self.topology]
        made_of += [(role, self.engine.image_id(tag)) for role, tag in sorted(self.images.items())]
        made_of += [(str(f), f.read_bytes()) for d in self.folders if (f := d / "topology.json").is_file()]
        made_of += [(m, f.target, f.mode, f.sha256) for m, files in sorted(self.config_files.items()) for f in files]
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

    @property
    def environment(self) -> dict[str, str]:
        names = {"broker": "RMQHA_BROKER_IMAGE", "balancer": "RMQHA_BALANCER_IMAGE"}
        return {variable: self.images[role] for role, variable in names.items() if role in self.images}

    def _make_handles(self) -> None:
        brokers = self.topology.brokers
        self.nodes = tuple(
            Node(b.service, b.hostname, b.address, Management(b.address, ADMIN, self.secrets.admin), self.engine)
            for b in brokers
        )
        self.cluster = Cluster(self.nodes, self.timeline)
        self.balancers = tuple(
            Balancer(
                b.service,
                b.hostname,
                b.address,
                self.engine,
                StatisticsPage(b.address, "stats", self.secrets.statistics, OWN_PORT, OWN_URI),
                PacketFilter(self.engine, b.service, self.images["balancer"]),
            )
            for b in self.topology.balancers
        )
        self.vip = Vip(self.topology.vip, self.balancers) if self.topology.vip else None
        self.proxies = Proxies(host_of(self.topology, TOXIPROXY_HOST)) if self.link_map else None
        self.links = self._links(self.proxies) if self.proxies is not None else None
        self.steady = SteadyState(self.cluster, self.balancers, self.vip, self.links)

    def _links(self, proxies: Proxies) -> Links:
        links = (
            Link(
                self.cluster.node(m.source),
                self.cluster.node(m.target),
                tuple(m.proxy(port) for port in DISTRIBUTION_PORTS),
                proxies,
            )
            for m in self.link_map
        )
        return Links(tuple(links))

    @property
    def front(self) -> str:
        """Where clients connect: the VIP, or the one broker of a topology without balancers."""
        return self.topology.vip or self.topology.brokers[0].address

    def blind_watches(self) -> tuple[str, ...]:
        """Names of watchers whose thread is dead; others take their place, so that the next scenario is watched."""
        if self.balancers and not self._watches:
            return ("the balancers: no watcher was started",)
        blind = [watch for watch in self._watches if watch.is_blind]
        self._watches = [watch.again() if watch in blind else watch for watch in self._watches]
        return tuple(watch.name for watch in blind)

    @property
    def load_password(self) -> str:
        return self.secrets.load

    def api_at(self, address: str) -> Management:
        return Management(address, ADMIN, self.secrets.admin)

    def dump(self, name: str, error: str = "", *, logs_only: bool = False) -> None:
        """Everything one wants to look at after a red verdict, into the run's folder, secrets masked."""
        if self.dump_policy == "never" or (self.dump_policy == "on-failure" and not error):
            return
        folder = self.reports / "evidence" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.txt").write_text(self.secrets.mask(error))
        evidence.collect(self.engine, self.topology, self.cluster, folder, self.secrets.mask, logs_only=logs_only)

    def facts(self) -> dict[str, str]:
        """For a report's environment: what ran where."""
        versions = {"topology": self.topology.name, "run": self.run, "vip": self.topology.vip or "none"}
        for node in self.nodes[:1]:
            overview = node.api.get("overview")
            versions["rabbitmq"], versions["erlang"] = (
                str(overview["rabbitmq_version"]),
                str(overview["erlang_version"]),
            )
        for balancer in self.balancers[:1]:
            versions["haproxy"] = self.engine.must(balancer.service, "haproxy", "-v").splitlines()[0]
            said = self.engine.exec(balancer.service, "keepalived", "--version")
            versions["keepalived"] = (said.err or said.out).splitlines()[0]
        if self.proxies is not None:
            versions["toxiproxy"] = self.proxies.version()
        return versions

    def filter_on(self, service: str) -> PacketFilter:
        return PacketFilter(self.engine, service, self.images["balancer"])

    def detour(self, source: str, target: str) -> Detour:
        """A way through a port of the toxiproxy container's own address; one port for each pair, from 21000 on."""
        if self.proxies is None:
            raise HarnessError("this topology has no link proxies; mark the scenario with rmq_requires('links')")
        name = f"{source}>{target}"
        port = DETOUR_FIRST + self._detours.setdefault(name, len(self._detours))
        via = f"{host_of(self.topology, TOXIPROXY_HOST)}:{port}"
        redirect = NetworkRedirect(self.engine, source, self.images["balancer"], target, via)
        return Detour(source, target, via, (name,), self.proxies, redirect)

    def unexpected_logs(self, since: float, allowed: Sequence[AllowedLog]) -> tuple[str, ...]:
        """A sentence for each member whose log since then (monotonic seconds) has lines that nothing explains."""
        roles = {**{n.service: "broker" for n in self.nodes}, **{b.service: "balancer" for b in self.balancers}}
        return member_logs.unexplained(self.engine, roles, since, allowed)

    def diagnoses(self, since: float) -> tuple[str, ...]:
        """A sentence for each broker whose log since then (monotonic seconds) tells of a trouble that the field knows."""
        return member_logs.diagnosed(self.engine, [node.service for node in self.nodes], since)

    def note_changes(self, since: float, vhost: str) -> None:
        """Put on the timeline what the brokers' logs say of peers and of the vhost's leaders since then (monotonic seconds)."""
        member_logs.put_changes_on(self.timeline, self.engine, [node.service for node in self.nodes], since, vhost)

    def rebuild(self, variant: str | None = None) -> None:
        """The same run's stack from nothing: a new cluster, new volumes."""
        self.timeline.add("note", "stack", "taken down to be built anew")
        self.worn = True
        self.failed_rebuilds += 1
        self.down()
        self.engine.forget()
        self.variant = variant
        self.config_files = self.files_of_members()
        self.up()
        self.leases, self.worn, self.failed_rebuilds = 0, False, 0

    def refuse_clash(self) -> None:
        """UserInputError when somebody else has the subnet; nothing of this run is on the engine yet."""
        clashing = self.engine.clashing_networks(self.topology.subnet)
        if clashing:
            raise UserInputError(
                f"subnet of topology {self.topology.name}",
                f"{self.topology.subnet}, taken by {', '.join(clashing)}",
                "a subnet that no network on this engine overlaps",
                "end the other run (rmqha clean), remove that network, or give the topology another subnet",
            )

    def up(self) -> None:
        self.refuse_clash()
        with self._timed("create containers"):
            self.project.create()
            self.come_near()
            bring_up.copy_files(self)
        if self.link_map:
            with self._timed("link proxies"):
                bring_up.start_links(self)
        with self._timed("start containers"):
            self.project.start()
        with self._timed("brokers boot and form the cluster"):
            bring_up.await_listeners(self)
            bring_up.add_admin(self)
            bring_up.await_statistics(self)
        with self._timed("queues of the configuration"):
            bring_up.import_topology(self)
        with self._timed("steady state"):
            self.steady.wait(within=seconds(60), error=StackNotUp, what="the stack in steady state after bring-up")
        self.connect()

    def come_near(self) -> None:
        """Into the run's network, where this process is in a runner; the network exists."""
        own_container.join(self.engine, host_of(self.topology, RUNNER_HOST))

    def connect(self) -> None:
        """The stack stands: reach the load client, make its user, watch the balancers and the VIP."""
        self._raw_wire = Wire(self.engine.attach("rmqha-client"), self._client_event)
        self.wire = self._raw_wire
        self.wire.ask("hello", within=20)
        self.nodes[0].api.put_user("rmqha-load", self.secrets.load)
        self._watches = started(self.timeline, self.balancers, self.vip)

    def disconnect(self) -> None:
        """Stop watching, end the load client and go out of the run's network; the stack stands."""
        for watch in self._watches:
            watch.stop()
        self._watches.clear()
        if self.wire is not None:
            with suppress(HarnessError, OSError):
                self.wire.ask("bye", within=3)
            self._raw_wire.close()
            self.wire = None
        own_container.leave(self.engine)

    def down(self) -> None:
        try:
            self.disconnect()
        finally:
            self.project.down()
            self.engine.remove_helpers()

    @contextmanager
    def _timed(self, label: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            with self.timeline.waiting(f"bring-up: {label}"):
                yield
        finally:
            self.took[label] = time.monotonic() - began

    def _client_event(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "load":
            self.on_load(float(event["at"]), int(event["confirmed"]), int(event["delivered"]))
            return
        known = {k: v for k, v in event.items() if k not in ("event", "at", "role")}
        self.timeline.add("client", str(event.get("role", "client")), str(event["event"]), at=event.get("at"), **known)
