"""The steps of a bring-up, in their order: files are copied in, links stand, brokers listen, we are let in, queues are made."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from pytest_rmqha.adapters.engine import FileToPut
from pytest_rmqha.config.folder import layered
from pytest_rmqha.config.override import proxies_for
from pytest_rmqha.errors import StackNotUp, ToolFailed
from pytest_rmqha.waiting import await_match, seconds

if TYPE_CHECKING:
    from pytest_rmqha.adapters.stack import Stack

ADMIN = "rmqha-admin"
ADD_ADMIN = (
    '{ok, P} = file:read_file("/run/rmqha/admin"), U = <<"' + ADMIN + '">>, '
    'ok = rabbit_auth_backend_internal:add_user(U, string:trim(P), <<"rmqha">>), '
    'ok = rabbit_auth_backend_internal:set_tags(U, [administrator], <<"rmqha">>), ok.'
)


def copy_files(stack: Stack) -> None:
    for broker in stack.topology.brokers:
        files = layered(stack.folders, broker.service, "broker")
        stack.config_files[broker.service] = list(files.values())
        stack.engine.put(
            broker.service,
            [
                *(FileToPut(f.target, f.content, f.mode) for f in files.values()),
                FileToPut("/var/lib/rabbitmq/.erlang.cookie", stack.secrets.cookie.encode(), 0o400),
                FileToPut("/run/rmqha/admin", stack.secrets.admin.encode(), 0o444),
            ],
        )
    for balancer in stack.topology.balancers:
        files = layered(stack.folders, balancer.service, "balancer")
        stack.config_files[balancer.service] = list(files.values())
        stack.engine.put(
            balancer.service,
            [
                *(FileToPut(f.target, f.content, f.mode) for f in files.values()),
                FileToPut("/etc/keepalived/auth_pass.conf", f"auth_pass {stack.secrets.vrrp}\n".encode(), 0o600),
                FileToPut(
                    "/etc/default/haproxy",
                    f"STATS_USER=stats\nSTATS_PASSWORD={stack.secrets.statistics}\n".encode(),
                    0o600,
                ),
            ],
        )


def start_links(stack: Stack) -> None:
    assert stack.proxies is not None
    stack.project.start("rmqha-toxiproxy")
    prefix = stack.topology.subnet.split("/")[1]
    script = "\n".join(f"ip addr add {m.address}/{prefix} dev eth0" for m in stack.link_map) + "\nip -4 -o addr show"
    answer = stack.engine.in_network_of("rmqha-toxiproxy", stack.images["balancer"], script)
    missing = [m.address for m in stack.link_map if f"{m.address}/" not in answer.out]
    if answer.code != 0 or missing:
        raise StackNotUp(f"the link proxies' addresses could not be set ({missing}): {answer.err.strip()[:300]}")
    await_match(
        stack.proxies.version,
        bool,
        what="toxiproxy's API",
        within=seconds(10),
        every=0.05,
        error=StackNotUp,
        ignore=(ToolFailed,),
    )
    stack.proxies.populate(proxies_for(stack.link_map))


def await_listeners(stack: Stack) -> None:
    def closed() -> list[str]:
        for node in stack.nodes:
            if node.state() == "exited":
                raise StackNotUp(
                    f"broker {node} ended while it booted; its last words:\n{stack.engine.logs(node.service, 15)}"
                )
        return [str(n) for n in stack.nodes if not _open(n.address, 5672) or not _open(n.address, 15672)]

    await_match(
        closed,
        lambda c: not c,
        what="every broker listening on 5672 and 15672",
        within=seconds(120),
        every=0.3,
        error=StackNotUp,
    )


def add_admin(stack: Stack) -> None:
    stack.engine.must(stack.nodes[0].service, "rabbitmqctl", "eval", ADD_ADMIN)


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
    files = [folder / "topology.json" for folder in stack.folders if (folder / "topology.json").is_file()]
    if files:
        stack.nodes[0].api.ask("POST", "definitions", json.loads(files[-1].read_text()), timeout=20)


def _open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True
