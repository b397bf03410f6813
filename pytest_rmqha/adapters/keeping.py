"""A stack that outlives its run: left standing on purpose, spared by the sweep, and taken over by another run.

The engine remembers that a run was kept by an empty volume with the run's label (labels of what runs can't be changed).
Its secrets are read from its own containers: nothing is written outside of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, Any

import docker.errors

from pytest_rmqha.adapters import bring_up, leftovers
from pytest_rmqha.adapters.engine import RUN_LABEL, Engine
from pytest_rmqha.adapters.haproxy import OWN_PORT, OWN_URI
from pytest_rmqha.adapters.run_secrets import Secrets
from pytest_rmqha.errors import StackNotUp, ToolFailed, UserInputError
from pytest_rmqha.topology import Topology
from pytest_rmqha.waiting import seconds

if TYPE_CHECKING:
    from pytest_rmqha.adapters.stack import Stack

DIGEST = "rmqha.digest"
WORN = "worn"
"""Kept to be looked at: what a fault has left in it would be the next run's."""


def keep(stack: Stack) -> list[str]:
    """Mark the stack as kept and say how to get in. Its load client ends with the run; ``attach`` starts it again."""
    name = f"{stack.project.name}-kept"
    whether = WORN if stack.worn else "1"
    with contextlib.suppress(docker.errors.NotFound):  # of a stack that is kept again; labels can't be changed
        stack.engine.client.volumes.get(name).remove()
    stack.engine.client.volumes.create(name=name, labels={**stack.engine.helper_labels, leftovers.KEPT: whether})
    stack.disconnect()
    return how_to_get_in(stack)


def how_to_get_in(stack: Stack) -> list[str]:
    """Where things are, with which password, and how to remove them: one command or address a line."""
    name, broker = stack.project.name, stack.nodes[0].service
    lines = [
        f"AMQP {stack.front}:5672, user rmqha-admin, management "
        + ", ".join(f"http://{node.address}:15672" for node in stack.nodes),
        f"  its password: docker exec {name}-{broker}-1 cat /run/rmqha/admin",
    ]
    lines += [
        f"haproxy of {b.service}: http://{b.address}:{OWN_PORT}{OWN_URI}, user and password: "
        f"docker exec {name}-{b.service}-1 cat /etc/default/haproxy"
        for b in stack.balancers
    ]
    lines += [f"shell: docker exec -it {name}-{member.service}-1 bash" for member in stack.topology.members]
    again = (
        "not to be run on again: a scenario left it not whole"
        if stack.worn
        else f"again on it: pytest … --rmq-reuse={stack.run}"
    )
    return [*lines, again, f"remove it: rmqha down {stack.run}"]


def kept_runs() -> tuple[str, ...]:
    """Names of runs whose stacks were kept and still have containers."""
    return tuple(run.name for run in leftovers.found() if run.kept and run.has_containers)


def is_worn(stack: Stack) -> bool:
    only: dict[str, Any] = {"label": [f"{RUN_LABEL}={stack.run}", f"{leftovers.KEPT}={WORN}"]}
    return bool(stack.engine.client.volumes.list(filters=only))


def secrets_of(engine: Engine, topology: Topology) -> Secrets:
    """The secrets of a run that stands, read from its containers; the load user's is made anew."""
    broker = topology.brokers[0].service
    cookie = engine.must(broker, "cat", "/var/lib/rabbitmq/.erlang.cookie").strip()
    known = {"cookie": cookie, "admin": engine.must(broker, "cat", "/run/rmqha/admin").strip()}
    for balancer in topology.balancers[:1]:
        said = engine.must(balancer.service, "cat", "/etc/default/haproxy", "/etc/keepalived/auth_pass.conf")
        found = dict(re.findall(r"^(STATS_PASSWORD|auth_pass)[= ](\S+)$", said, re.MULTILINE))
        known |= {"statistics": found["STATS_PASSWORD"], "vrrp": found["auth_pass"]}
    return Secrets(**known)


def digest(stack: Stack) -> str:
    """SHA-256 over what makes this stack: its compose file, images (what the tags stand for now) and every file."""
    made_of: list[object] = [stack.topology, stack.compose_digest]
    made_of += [(role, stack.engine.image_id(tag)) for role, tag in sorted(stack.images.items())]
    made_of += [(stack.imported.name, stack.imported.sha256)] if stack.imported is not None else []
    made_of += [(m, f.target, f.mode, f.sha256) for m, files in sorted(stack.config_files.items()) for f in files]
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def attach(stack: Stack) -> None:
    """Take over the stack that the run named ``stack.run`` has kept; UserInputError when it isn't there or is another one."""
    kept = kept_runs()
    if stack.run not in kept:
        raise UserInputError(
            "--rmq-reuse",
            stack.run,
            ", ".join(kept) or "a run that was kept; there is none on this engine",
            "keep one with --rmq-keep=always or rmqha up",
        )
    if is_worn(stack):
        raise UserInputError(
            "--rmq-reuse",
            f"{stack.run}, which a scenario left not whole",
            "a stack that was kept whole",
            f"start a new one; remove this one with rmqha down {stack.run}",
        )
    found = stack.engine.container(stack.nodes[0].service).labels.get(DIGEST, "")
    if found != digest(stack):
        raise UserInputError(
            "--rmq-reuse",
            f"{stack.run}, whose topology, images and configuration have digest {found[:12] or 'none'}",
            f"a stack with the digest of what this run asks for, {digest(stack)[:12]}",
            "ask for the same --rmq-topology, --rmq-version, images and --rmq-config, or start a new stack",
        )
    for member in stack.config_files:
        if other := bring_up.other_files(stack, member):
            raise UserInputError(
                "--rmq-reuse",
                f"{stack.run}, whose {member} has other files at {', '.join(other)}",
                "a stack with the files of this run",
                "a run has ended in a variant of it: take it down (rmqha down) and start a new one",
            )
    with stack.timeline.waiting("steady state of the kept stack"):
        stack.come_near()
        _start_client(stack)
        bring_up.refuse_unreachable_client(stack)
        stack.steady.wait(within=seconds(60), error=StackNotUp, what=f"the kept stack {stack.run} in steady state")
    stack.connect()


def _start_client(stack: Stack) -> None:
    """The client ended with the run that had it: a fresh process in the same container."""
    try:
        stack.engine.stop("rmqha-client", grace=2)
        stack.engine.start("rmqha-client")
    except ToolFailed as error:
        raise StackNotUp(f"the load client of the kept stack can't be started: {error}") from error
