"""What is kept of a stack after a red verdict: logs and states of every container, masked, each source on its own.

A source that does not answer leaves its error in its file: a missing piece of evidence is seen, not silent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.cluster import Cluster
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.topology import Topology

BALANCER_QUESTIONS = {
    "haproxy-stat.txt": "echo 'show stat' | socat - UNIX-CONNECT:/run/haproxy/admin.sock",
    "haproxy-servers.txt": "echo 'show servers state' | socat - UNIX-CONNECT:/run/haproxy/admin.sock",
    "addresses.txt": "ip addr; ip neigh; nft list ruleset",
    "processes.txt": "ps -eo pid,ppid,stat,etime,args",
    "notify.log": "cat /var/log/keepalived/notify.log",
}
NODE_QUESTIONS = ("nodes", "overview", "queues", "connections", "policies")


def collect(
    engine: Engine,
    topology: Topology,
    cluster: Cluster,
    folder: Path,
    mask: Callable[[str], str],
    error: str,
    *,
    logs_only: bool = False,
) -> None:
    """Write error.txt and <member>-<what> into ``folder``; bounded by the engine's and the API's time-outs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "error.txt").write_text(mask(error))

    def keep(name: str, ask: Callable[[], str]) -> None:
        try:
            text = ask()
        except (HarnessError, KeyError, OSError) as error:
            text = f"could not be had: {type(error).__name__}: {error}\n"
        (folder / name).write_text(mask(text))

    services = engine.services()
    for service in services:
        keep(f"{service}-log.txt", lambda s=service: engine.logs(s))  # type: ignore[misc]
    keep("states.txt", lambda: "\n".join(f"{s} {engine.state(s)}" for s in services))
    if logs_only:
        return
    for balancer in topology.balancers:
        for name, script in BALANCER_QUESTIONS.items():
            keep(f"{balancer.service}-{name}", lambda b=balancer, c=script: _say(engine, b.service, c))  # type: ignore[misc]
    for node in cluster.nodes:
        for question in NODE_QUESTIONS:
            keep(f"{node}-{question}.json", lambda n=node, q=question: json.dumps(n.api.get(q, timeout=3), indent=1))  # type: ignore[misc]


def _say(engine: Engine, service: str, script: str) -> str:
    answer = engine.exec(service, "sh", "-c", script)
    return answer.out + answer.err
