"""The steps of a bring-up, in their order: files are copied in, links stand, brokers listen, we are let in, queues are made."""

from __future__ import annotations

import json
import socket
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pytest_rmqha.adapters.engine import FileToPut
from pytest_rmqha.adapters.haproxy import OWN_FILE, own_page
from pytest_rmqha.adapters.route import refuse_unreachable
from pytest_rmqha.config.override import CLIENT_HOST, TOXIPROXY_HOST, host_of, proxies_for
from pytest_rmqha.errors import StackNotUp, ToolFailed, UserInputError
from pytest_rmqha.waiting import await_match, seconds

if TYPE_CHECKING:
    from pytest_rmqha.adapters.stack import Stack

ADMIN = "rmqha-admin"
BROKER_USER = "rabbitmq"
ADD_ADMIN = (
    '{ok, P} = file:read_file("/run/rmqha/admin"), U = <<"' + ADMIN + '">>, '
    'ok = rabbit_auth_backend_internal:add_user(U, string:trim(P), <<"rmqha">>), '
    'ok = rabbit_auth_backend_internal:set_tags(U, [administrator], <<"rmqha">>), ok.'
)


def refuse_clash(stack: Stack) -> None:
    """UserInputError when somebody else has the subnet; nothing of this run is on the engine yet."""
    clashing = stack.engine.clashing_networks(stack.topology.subnet)
    if clashing:
        raise UserInputError(
            f"subnet of topology {stack.topology.name}",
            f"{stack.topology.subnet}, taken by {', '.join(clashing)}",
            "a subnet that no network on this engine overlaps",
            "end the other run (rmqha clean), remove that network, or give the topology another subnet",
        )


def copy_files(stack: Stack, only: Collection[str] | None = None) -> None:
    """Each member's configuration and secrets into its container, which need not have run yet; ``only`` these members'."""
    for broker in stack.topology.brokers:
        if only is None or broker.service in only:
            uid, gid = ids_of(BROKER_USER, stack.engine.read(broker.service, "/etc/passwd").decode(errors="replace"))
            secrets = [
                FileToPut("/var/lib/rabbitmq/.erlang.cookie", stack.secrets.cookie.encode(), 0o400, uid, gid),
                FileToPut("/run/rmqha/admin", stack.secrets.admin.encode(), 0o444),
            ]
            _copy(stack, broker.service, secrets)
    for balancer in stack.topology.balancers:
        if only is None or balancer.service in only:
            statistics = f"STATS_USER=stats\nSTATS_PASSWORD={stack.secrets.statistics}\nEXTRAOPTS='-f {OWN_FILE}'\n"
            page = own_page("stats", stack.secrets.statistics)
            secrets = [
                FileToPut("/etc/keepalived/auth_pass.conf", f"auth_pass {stack.secrets.vrrp}\n".encode(), 0o600),
                FileToPut("/etc/default/haproxy", statistics.encode(), 0o600),
                FileToPut(OWN_FILE, page.encode(), 0o600),
            ]
            _copy(stack, balancer.service, secrets)


def ids_of(user: str, passwd: str) -> tuple[int, int]:
    """A user's numbers in an image (rabbitmq: 999 in official ones, 100 in their Alpine variant, about 100 in ours).

    Root's where the image has no such user: its start script then has to see to the cookie itself.
    """
    for line in passwd.splitlines():
        name, *fields = line.split(":")
        if name == user and len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit():
            return int(fields[1]), int(fields[2])
    return 0, 0


def _copy(stack: Stack, service: str, secrets: Sequence[FileToPut]) -> None:
    files = stack.config_files[service]
    stack.engine.put(service, [*secrets, *(FileToPut(f.target, f.content, f.mode) for f in files)])  # theirs win


def start_links(stack: Stack) -> None:
    assert stack.proxies is not None
    stack.project.start("rmqha-toxiproxy")
    refuse_unreachable(stack.engine, "rmqha-toxiproxy", host_of(stack.topology, TOXIPROXY_HOST), 8474)
    prefix = stack.topology.subnet.split("/")[1]
    script = "\n".join(f"ip addr add {m.address}/{prefix} dev eth0" for m in stack.link_map) + "\nip -4 -o addr show"
    answer = stack.engine.in_network_of("rmqha-toxiproxy", stack.images["balancer"], script)
    missing = [m.address for m in stack.link_map if f"{m.address}/" not in answer.out]
    if answer.code != 0 or missing:
        raise ToolFailed(f"the link proxies' addresses could not be set ({missing}): {answer.err.strip()[:300]}")
    await_match(
        stack.proxies.version,
        bool,
        what="toxiproxy's API",
        within=seconds(10),
        every=0.05,
        error=ToolFailed,
        ignore=(ToolFailed,),
    )
    stack.proxies.populate(proxies_for(stack.link_map))


def refuse_unreachable_client(stack: Stack) -> None:
    """The load client listens nowhere: it is there as soon as it runs, and the refusal of a connection is an answer."""
    refuse_unreachable(stack.engine, "rmqha-client", host_of(stack.topology, CLIENT_HOST), 8474)


def await_listeners(stack: Stack) -> None:
    if not stack.link_map:
        refuse_unreachable_client(stack)

    def closed() -> list[str]:
        for node in stack.nodes:
            if node.state() == "exited":
                raise StackNotUp(
                    f"broker {node} ended while it booted; its last words:\n{stack.engine.logs(node.service, 15)}"
                )
        return [str(n) for n in stack.nodes if not _open(n.address, 5672) or not _open(n.address, 15672)]

    try:
        await_match(
            closed,
            lambda c: not c,
            what="every broker listening on 5672 and 15672",
            within=seconds(120),
            every=0.3,
            error=StackNotUp,
        )
    except StackNotUp:
        if all(_is_running(stack, node.service) for node in stack.nodes):
            raise UserInputError(
                "ports of the brokers",
                "every broker runs, and not every one listens on 5672 and 15672",
                "AMQP on 5672 and the management API on 15672: the harness looks through them",
                "switch the AMQP listener and the plugin rabbitmq_management on",
            ) from None
        raise


def _is_running(stack: Stack, service: str) -> bool:
    return (
        stack.engine.state(service) == "running"
        and stack.engine.exec(service, "rabbitmq-diagnostics", "check_running").code == 0
    )


def add_admin(stack: Stack) -> None:
    stack.engine.must(stack.nodes[0].service, "rabbitmqctl", "eval", ADD_ADMIN)


def await_statistics(stack: Stack) -> None:
    """Every broker counts and tells; UserInputError where its image or its configuration has that switched off."""
    overviews = await_match(
        lambda: {str(node): node.api.get("overview") for node in stack.nodes},
        bool,
        what="the overview of every broker",
        within=seconds(60),
        error=StackNotUp,
        ignore=(ToolFailed, KeyError),
    )
    refuse_without_statistics(overviews, stack.images["broker"])


def refuse_without_statistics(overviews: Mapping[str, Mapping[str, Any]], image: str) -> None:
    """``overviews``: broker -> its /api/overview. Official images without -management set this in conf.d, which wins
    over rabbitmq.conf; /api/nodes then names no partition and no alarm, and every one would go unseen.
    """
    silent = [broker for broker, overview in overviews.items() if overview.get("disable_stats")]
    if silent:
        raise UserInputError(
            "statistics of the management API",
            f"switched off on {', '.join(silent)} (image {image})",
            "brokers that report partitions, alarms and queue lengths: without them nothing can be judged",
            "take the -management variant of the image, or switch them on in advanced.config: "
            "[{rabbitmq_management_agent, [{disable_metrics_collector, false}]}]",
        )


def import_topology(stack: Stack) -> None:
    """A quorum queue that is declared before all nodes have joined keeps too few replicas: wait, then import."""
    everybody = frozenset(n.name for n in stack.nodes)
    await_match(
        lambda: [n.running_peers() for n in stack.nodes],
        lambda views: all(v == everybody for v in views),
        what="every broker seeing every broker",
        within=seconds(60),
        error=StackNotUp,
        ignore=(ToolFailed,),
    )
    _await_vhosts(stack, everybody)
    if stack.imported is not None:
        stack.nodes[0].api.ask("POST", "definitions", json.loads(stack.imported.content), timeout=20)


def other_files(stack: Stack, member: str) -> list[str]:
    """Paths in a member's container whose content is not what this run's configuration has there."""
    return [f.target for f in stack.config_files[member] if stack.engine.read(member, f.target) != f.content]


def refuse_other_files(stack: Stack) -> None:
    """UserInputError when a member runs on something else than it was given: its image's start script wrote over it."""
    members = list(stack.config_files)
    with ThreadPoolExecutor(max_workers=len(members)) as pool:  # one after the other: 1.3 s
        found = dict(zip(members, pool.map(lambda member: other_files(stack, member), members), strict=True))
    for member, other in found.items():
        if other:
            raise UserInputError(
                f"configuration of {member}",
                f"other content at {', '.join(other)} once it runs",
                "the files that it was given, byte for byte",
                "take an image, an entrypoint and a command that leave them as they are",
            )


def _await_vhosts(stack: Stack, everybody: frozenset[str]) -> None:
    """A vhost's process starts on each node by itself; a queue declared before that is refused (seen on 3.8.9)."""

    def not_running() -> list[str]:
        return [
            f"{vhost['name']} on {node}"
            for vhost in stack.nodes[0].api.get("vhosts")
            for node in everybody
            if vhost.get("cluster_state", {}).get(node) != "running"
        ]

    await_match(
        not_running,
        lambda names: not names,
        what="every vhost running on every broker",
        within=seconds(60),
        error=StackNotUp,
        ignore=(ToolFailed,),
    )


def _open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True
