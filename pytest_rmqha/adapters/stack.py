"""A run's stack from nothing to steady and back to nothing: the order in which things are made, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pytest_rmqha import data
from pytest_rmqha.adapters import bring_up, evidence, keeping, own_container
from pytest_rmqha.adapters.bring_up import ADMIN
from pytest_rmqha.adapters.compose import ComposeProject, digest_of, image_variables, read_config
from pytest_rmqha.adapters.detours import Detours
from pytest_rmqha.adapters.engine import RUN_LABEL, Engine
from pytest_rmqha.adapters.handles import balancers_of, links_of, nodes_of, proxies_of
from pytest_rmqha.adapters.load_client import LoadClient
from pytest_rmqha.adapters.management import Management
from pytest_rmqha.adapters.member_logs import MemberLogs
from pytest_rmqha.adapters.netfilter import PacketFilter
from pytest_rmqha.adapters.run_secrets import Secrets
from pytest_rmqha.adapters.watchers import Watchers
from pytest_rmqha.cluster import Cluster
from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.config.members import files_of_members
from pytest_rmqha.config.origin import imported_file
from pytest_rmqha.config.override import RUNNER_HOST, host_of, link_addresses, override, refuse_without_room
from pytest_rmqha.config.passwords import passwords_of
from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import StackNotUp
from pytest_rmqha.logs import AllowedLog
from pytest_rmqha.outside import ClientWire
from pytest_rmqha.steady import SteadyState
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.topology import Topology
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import seconds


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

    def __post_init__(self) -> None:
        self.engine = Engine(self.run)
        self.compose_digest = digest_of(read_config(self.compose_file, image_variables(self.images)))
        self._read: dict[str | None, dict[str, list[ConfigFile]]] = {}
        self.config_files = self.files_of_members()
        brokers = [self.config_files[broker.service] for broker in self.topology.brokers]
        self.imported = imported_file(self.folders, self.own, brokers)
        refuse_without_room(self.topology)
        self.link_map = link_addresses(self.topology)
        labels = {
            RUN_LABEL: self.run,
            **own_container.owner_labels(),
            "rmqha.started": f"{time.time():.0f}",
            keeping.DIGEST: keeping.digest(self),
        }
        self.engine.helper_labels = labels
        self.reports.mkdir(parents=True, exist_ok=True)
        self.override_file = self.reports / "compose.override.json"
        self.override_file.write_text(override(self.topology, self.images, labels, self.link_map))
        files = [self.compose_file, self.override_file]
        self.project = ComposeProject(f"rmqha-{self.run}", files, image_variables(self.images))
        self._make_handles()

    def files_of_members(self) -> dict[str, list[ConfigFile]]:
        """service -> its configuration files: reference, line, topology, the user's, the variant's.

        Each is read once: what is edited while the run goes on is the next run's.
        """
        if self.variant not in self._read:
            folders = [*self.folders, *([data.variant_folder(self.variant)] if self.variant else [])]
            self._read[self.variant] = files_of_members(self.topology, folders, self.own)
        return self._read[self.variant]

    def _make_handles(self) -> None:
        self.nodes = nodes_of(self.topology, self.engine, self.secrets)
        self.cluster = Cluster(self.nodes, self.timeline)
        self.balancers = balancers_of(self.topology, self.engine, self.secrets, self.filter_on)
        self.vip = Vip(self.topology.vip, self.balancers) if self.topology.vip else None
        self.proxies = proxies_of(self.topology, self.link_map)
        self.links = links_of(self.link_map, self.cluster, self.proxies) if self.proxies is not None else None
        self.steady = SteadyState(self.cluster, self.balancers, self.vip, self.links)
        self.detours = Detours(self.topology, self.images, self.engine, self.proxies)
        self.load_client = LoadClient(self.engine, self.timeline)
        self.watchers = Watchers(self.timeline, self.balancers, self.vip)
        self.logs = MemberLogs(self.topology, self.engine, self.timeline)

    @property
    def wire(self) -> ClientWire | None:
        return self.load_client.wire

    @property
    def front(self) -> str:
        """Where clients connect: the VIP, or the one broker of a topology without balancers."""
        return self.topology.vip or self.topology.brokers[0].address

    @property
    def load_password(self) -> str:
        return self.secrets.load

    def api_at(self, address: str) -> Management:
        return Management(address, ADMIN, self.secrets.admin)

    def dump(self, name: str, error: str = "", *, logs_only: bool = False) -> None:
        """Everything one wants to look at after a red verdict, into the run's folder, secrets and the files' passwords masked."""
        if self.dump_policy == "never" or (self.dump_policy == "on-failure" and not error):
            return
        folder = self.reports / "evidence" / name
        stated = passwords_of(file for files in self.config_files.values() for file in files)
        mask = partial(self.secrets.mask, stated=stated)
        evidence.collect(self.engine, self.topology, self.cluster, folder, mask, error, logs_only=logs_only)

    def filter_on(self, service: str) -> PacketFilter:
        return PacketFilter(self.engine, service, self.images["balancer"])

    def detour(self, source: str, target: str) -> Detour:
        return self.detours.between(source, target)

    def blind_watches(self) -> tuple[str, ...]:
        return self.watchers.replace_blind()

    def unexpected_logs(self, since: float, allowed: Sequence[AllowedLog]) -> tuple[str, ...]:
        return self.logs.unexplained(since, allowed)

    def diagnoses(self, since: float) -> tuple[str, ...]:
        return self.logs.diagnosed(since)

    def note_changes(self, since: float, vhost: str) -> None:
        self.logs.put_changes(since, vhost)

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

    def up(self) -> None:
        bring_up.refuse_clash(self)
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
        with self._timed("files in place"):
            bring_up.refuse_other_files(self)
        self.connect()

    def come_near(self) -> None:
        """Into the run's network, where this process is in a runner; the network exists."""
        own_container.join(self.engine, host_of(self.topology, RUNNER_HOST))

    def connect(self) -> None:
        """The stack stands: reach the load client, make its user, watch the balancers and the VIP."""
        self.load_client.attach()
        self.nodes[0].api.put_user("rmqha-load", self.secrets.load)
        self.watchers.start()

    def disconnect(self) -> None:
        """Stop watching, end the load client and go out of the run's network; the stack stands."""
        self.watchers.stop()
        self.load_client.end()
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
