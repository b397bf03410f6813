"""What a run stood on, for its manifest: the tag of each container's image, and the engine and compose that ran them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_rmqha.adapters.engine import RUN_LABEL, TROUBLE, Engine
from pytest_rmqha.adapters.reachable import require_compose
from pytest_rmqha.errors import HarnessError, ToolFailed, UserInputError

if TYPE_CHECKING:
    from pytest_rmqha.adapters.stack import Stack


def image_tags(engine: Engine) -> Mapping[str, str]:
    """service -> tag, of every container of the run; those of our own images end with a digest of what they are built from."""
    try:
        found = engine.client.containers.list(
            all=True, ignore_removed=True, filters={"label": f"{RUN_LABEL}={engine.run}"}
        )
    except TROUBLE as error:
        raise ToolFailed(f"the containers of run {engine.run} can't be listed: {error}") from error
    return {str(c.labels.get("com.docker.compose.service", c.name)): str(c.attrs["Config"]["Image"]) for c in found}


def of_the_stack(stack: Stack) -> dict[str, str]:
    """Versions of the programs in it, as they tell them, and of what runs it."""
    return {**_of_the_programs(stack), **of_the_machine(stack.engine)}


def _of_the_programs(stack: Stack) -> dict[str, str]:
    """As the first broker, the first balancer and the link proxies tell them, with what the stack is called."""
    found = {"topology": stack.topology.name, "run": stack.run, "vip": stack.topology.vip or "none"}
    for node in stack.nodes[:1]:
        overview = node.api.get("overview")
        found["rabbitmq"], found["erlang"] = str(overview["rabbitmq_version"]), str(overview["erlang_version"])
    for balancer in stack.balancers[:1]:
        found["haproxy"] = stack.engine.must(balancer.service, "haproxy", "-v").splitlines()[0]
        said = stack.engine.exec(balancer.service, "keepalived", "--version")
        found["keepalived"] = (said.err or said.out).splitlines()[0]
    if stack.proxies is not None:
        found["toxiproxy"] = stack.proxies.version()
    return found


def of_the_machine(engine: Engine) -> dict[str, str]:
    """``engine`` and ``compose``: their versions, as far as they are known."""
    found: dict[str, str] = {}
    with contextlib.suppress(*TROUBLE, KeyError):
        found["engine"] = str(engine.client.version()["Version"])
    with contextlib.suppress(HarnessError, UserInputError, OSError):
        found["compose"] = require_compose()
    return found
