"""Images on the engine: present, else pulled, else built from packages. At run time nothing is made: ``present`` only looks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

import docker
import docker.errors
import requests

from pytest_rmqha.adapters import reachable
from pytest_rmqha.adapters.building import base_from_packages, build, toxiproxy_server
from pytest_rmqha.adapters.pulling import Puller
from pytest_rmqha.errors import ToolFailed, UserInputError
from pytest_rmqha.images.registry import is_exact
from pytest_rmqha.images.spec import LINES, TOXIPROXY_IMAGE, ImageSpec, line_for

Say = Callable[[str], None]
TROUBLE = (docker.errors.DockerException, requests.RequestException, OSError)


def _engine(timeout: int) -> docker.DockerClient:
    return reachable.client(timeout)


def _exists(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except docker.errors.NotFound:
        return False
    except TROUBLE as error:
        raise ToolFailed(f"the engine was asked for image {tag} and failed: {str(error)[:300]}") from error
    return True


def missing(specs: Sequence[ImageSpec]) -> tuple[ImageSpec, ...]:
    """Those that are not on the engine. Only looks."""
    client = _engine(20)
    return tuple(spec for spec in specs if not _exists(client, spec.tag))


def present(specs: Sequence[ImageSpec]) -> Mapping[str, str]:
    """role -> tag, all of them on the engine already; otherwise UserInputError naming the missing ones. Only looks."""
    absent = missing(specs)
    if absent:
        options = "".join(f" --{spec.role}-image {spec.override}" for spec in absent if spec.override)
        line = "".join(f" --line {name}" for name in _lines(specs)[:1] if name != default_line())
        raise UserInputError(
            "images",
            f"not there: {', '.join(spec.tag for spec in absent)}",
            "images that were pulled or built before the run",
            f"run 'rmqha images build{options}{line}' first",
        )
    return {spec.role: spec.tag for spec in specs}


def default_line() -> str:
    """The line that ``rmqha images`` takes unless it is told another."""
    return os.environ.get("RMQ_VERSION") or "3.10"


def _lines(specs: Sequence[ImageSpec]) -> list[str]:
    """The lines whose suite the broker and the balancer are of; none where neither is asked for."""
    suites = {spec.suite for spec in specs if spec.role in ("broker", "balancer")}
    return [name for name, line in LINES.items() if line.suite in suites]


def check_line(image: str, version_line: str) -> None:
    """An image that says which RabbitMQ it holds (official ones do, in RABBITMQ_VERSION) is judged as that line or not at
    all: another line's configuration and expectations would be blamed on it. Only looks.
    """
    try:
        variables = (_engine(20).images.get(image).attrs.get("Config") or {}).get("Env") or []
    except TROUBLE as error:
        raise ToolFailed(f"image {image} can't be looked at: {str(error)[:300]}") from error
    refuse_another_line(image, dict(v.partition("=")[::2] for v in variables).get("RABBITMQ_VERSION", ""), version_line)


def refuse_another_line(image: str, version_found: str, version_line: str) -> None:
    """``version_found``: empty where the image says nothing."""
    fitting = line_for(version_found)
    if version_found and fitting != version_line:
        raise UserInputError(
            "RabbitMQ line",
            f"{version_line}, but {image} holds {version_found}",
            f"the newest line that is not newer than it ({fitting or 'there is none'})",
            f"add --rmq-version={fitting}" if fitting else f"take an image of one of the lines {', '.join(LINES)}",
        )


def ensure(
    specs: Sequence[ImageSpec], *, registry: str | None, say: Say, puller: Puller | None = None
) -> Mapping[str, str]:
    """Have each image on the engine: present, pulled, or built; says what takes longer than a moment."""
    client = _engine(600)
    puller = puller or Puller(registry, say)
    for spec in specs:
        if _exists(client, spec.tag):
            say(f"{spec.role}: {spec.tag} is here")
            continue
        began = time.monotonic()
        if spec.override is not None:
            _take(client, spec, puller)
        elif spec.role == "toxiproxy":
            _toxiproxy(client, spec, puller, say)
        else:
            arguments = {"BASE": _base(client, spec, puller, say), "APT_OPTIONS": spec.apt_options}
            say(f"{spec.role}: {spec.tag} is built on {arguments['BASE']}")
            build(client, spec, {}, arguments, say)
        say(f"{spec.role}: {spec.tag} made in {time.monotonic() - began:.0f} s")
    return {spec.role: spec.tag for spec in specs}


def _take(client: docker.DockerClient, spec: ImageSpec, puller: Puller) -> None:
    """Somebody's own image, through the prefix unless it says itself where it is; called as they call it."""
    pulled = puller.pull(spec.tag, exactly=is_exact(spec.tag))
    if pulled is None:
        raise UserInputError(
            f"{spec.role} image",
            spec.tag,
            "an image on this engine or in a registry that can be reached",
            "check its name, or load it with 'docker load'",
        )
    if pulled != spec.tag:
        try:
            client.images.get(pulled).tag(spec.tag)
        except TROUBLE as error:
            raise ToolFailed(f"{pulled} was pulled and can't be called {spec.tag}: {str(error)[:300]}") from error


def _toxiproxy(client: docker.DockerClient, spec: ImageSpec, puller: Puller, say: Say) -> None:
    """Its makers' image with our label, or one of the same shape around a server built here."""
    pulled = puller.pull(TOXIPROXY_IMAGE)
    if pulled is None:
        build(client, spec, {"toxiproxy": toxiproxy_server(say)}, {}, say)
    else:
        build(client, spec, {"Dockerfile": f"FROM {pulled}\n".encode()}, {}, say)


def _base(client: docker.DockerClient, spec: ImageSpec, puller: Puller, say: Say) -> str:
    assert spec.base is not None
    for name in (spec.own_base, puller.name(spec.base)):
        if _exists(client, name):
            return name
    return puller.pull(spec.base) or base_from_packages(client, spec, say)


PROGRAMS: Mapping[str, str] = {
    "broker": "rabbitmqctl version; erl -noshell -eval 'io:format(\"Erlang ~s\",[erlang:system_info(otp_release)]),halt().'",
    "balancer": "haproxy -v | head -n 1; keepalived --version 2>&1 | head -n 1; nft --version",
    "runner": "python3 --version; docker --version; docker compose version",
    "client": "python3 -c 'import sys, pika, rmqha_client.session; print(sys.version.split()[0], \"pika\", pika.__version__)'",
}


def programs(specs: Sequence[ImageSpec]) -> Mapping[str, str]:
    """role -> what the programs in its image say of their versions.

    An image whose programs do not start, or are of another version than its line says, raises ToolFailed: a suite that
    moves on (forky does) must not pass for the line it left.
    """
    client = _engine(60)
    found = {}
    for spec in specs:
        command = ["sh", "-c", PROGRAMS[spec.role]] if spec.role in PROGRAMS else ["/toxiproxy", "-version"]
        code, said = _run(client, spec, command)
        text = " / ".join(part.strip() for part in said.split("\n") if part.strip())
        if code != 0:
            raise ToolFailed(f"{spec.tag}: {' '.join(command)[:80]} ended with {code}: {text[-300:]}")
        if spec.version and f" {spec.version}" not in f" {text}":
            raise ToolFailed(f"{spec.tag}: {spec.version} was expected, it says: {text[:200]}")
        found[spec.role] = text
    return found


def _run(client: docker.DockerClient, spec: ImageSpec, command: list[str]) -> tuple[int, str]:
    """One short program in a container without a network, which goes with the volumes it made."""
    labels = {"rmqha.image": spec.role}
    try:
        container = client.containers.create(
            spec.tag, entrypoint=command[:1], command=command[1:], network_mode="none", labels=labels
        )
        try:
            container.start()
            code = int(container.wait(timeout=60)["StatusCode"])
            return code, bytes(container.logs()).decode(errors="replace")
        finally:
            container.remove(force=True, v=True)
    except TROUBLE as error:
        raise ToolFailed(f"{spec.tag}: its programs can't be run: {str(error)[:300]}") from error
