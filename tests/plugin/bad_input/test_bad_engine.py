"""A machine without a docker client, without compose, without an engine, or with one that can't be worked with."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from pytest_rmqha.adapters import reachable
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images.spec import wanted
from tests.plugin.bad_input import machine
from tests.plugin.bad_input.conftest import World

NEW_ENOUGH = "expected Docker Engine 20.10 or later, which has API 1.41. To do: "
START_IT = NEW_ENOUGH + "start it (as root on Debian: make engine), or set DOCKER_HOST to where it is."
NO_CLIENT = (
    "docker client: got none on PATH; expected the program 'docker' with the compose v2 plug-in. "
    "To do: install it (as root on Debian: make engine), or add its folder to PATH."
)
NO_COMPOSE = (
    "compose plug-in: got none: the docker client knows no command 'compose'; expected compose v2 or later as a plug-in "
    "of the docker client. To do: install it (as root on Debian: make engine; elsewhere the package docker-compose-plugin)."
)
OF_20_10 = "unknown shorthand flag: 'f' in -f\\nSee 'docker --help'."
OF_28 = "docker: unknown command: docker compose\\n\\nRun 'docker --help' for more information"


def a_client(world: World, script: str) -> None:
    """A docker client of our own is the first on PATH."""
    world.write("bin/docker", f"#!/bin/sh\n{script}\n").chmod(0o755)
    world.environment["PATH"] = f"{world.place / 'bin'}:{world.environment['PATH']}"


def test_no_docker_client(world: World) -> None:
    world.environment["PATH"] = ""
    world.refuses(world.pytest(), f"ERROR: {NO_CLIENT}")
    assert world.engine.asked == []


@pytest.mark.parametrize("said", [OF_20_10, OF_28], ids=["a client of 20.10", "a client of 28"])
def test_no_compose_plugin(world: World, said: str) -> None:
    a_client(world, f'printf "{said}" >&2; exit 125')
    world.refuses(world.pytest(), f"ERROR: {NO_COMPOSE}")


@pytest.mark.needs("no_compose")
def test_no_compose_plugin_of_the_client_that_is_installed(world: World) -> None:
    (world.place / "docker" / "cli-plugins").unlink()
    world.refuses(world.pytest(), f"ERROR: {NO_COMPOSE}")


def test_a_compose_that_is_too_old(world: World) -> None:
    a_client(world, 'case "$*" in *version*) echo v1.29.2;; *) echo "unknown flag: --format" >&2; exit 16;; esac')
    world.refuses(world.pytest(), "ERROR: compose plug-in: got v1.29.2; expected version 2 or later. To do: update it.")


def test_no_engine_runs(world: World) -> None:
    world.environment["DOCKER_HOST"] = f"unix://{world.place}/none.sock"
    world.refuses(world.pytest(), f"ERROR: docker engine: got no socket {world.place}/none.sock; {START_IT}")


def test_an_engine_that_has_ended(world: World) -> None:
    left = world.place / "left.sock"
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind(str(left))
    world.environment["DOCKER_HOST"] = f"unix://{left}"

    world.refuses(
        world.pytest(),
        f"ERROR: docker engine: got nobody who listens at {left} (Connection refused); {START_IT}",
    )


def test_nobody_at_an_address(world: World) -> None:
    world.environment["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    world.refuses(
        world.pytest(),
        f"ERROR: docker engine: got no answer from tcp://127.0.0.1:1 (Connection refused); {START_IT}",
    )


@pytest.mark.needs("nobody")
def test_a_socket_that_this_user_may_not_open(world: World) -> None:
    world.engine.socket.chmod(0o000)

    said = world.pytest(changes=(machine.become_nobody,))

    world.refuses(
        said,
        f"ERROR: permission: got user id {machine.NOBODY}, who may not open {world.engine.socket}; expected a user that "
        "may ask the engine. To do: run as root, or join the group that owns the socket (group id 0, mode 000) and log "
        "in again.",
    )


@pytest.mark.parametrize(
    "api", ["1.40", "1.24", "1.12"], ids=["one too old by a step", "one of 2016", "one older than the SDK knows"]
)
def test_an_engine_whose_api_is_too_old(world: World, api: str) -> None:
    world.engine.api = api
    world.refuses(
        world.pytest(),
        f"ERROR: docker engine: got version 20.10.24 with API {api} at {world.engine.host}; {NEW_ENOUGH}"
        "update the engine, or set DOCKER_HOST to a newer one.",
    )
    assert not [asked for asked in world.engine.asked if "/images/" in asked]


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        ({"Version": "5"}, "an answer without an API version from {host}"),
        (b"<html>It works!</html>", "no answer from {host} (*)"),
        ({"Version": "28", "ApiVersion": "1.48", "Os": "windows"}, "one for windows containers"),
    ],
    ids=["another program with JSON", "a web server", "one for Windows"],
)
def test_what_answers_is_no_engine_for_us(world: World, answer: object, got: str) -> None:
    world.engine.answers["/version"] = answer
    world.refuses(
        world.pytest(), f"ERROR: docker engine: got {got.format(host=world.engine.host)}; expected *. To do: *"
    )


@pytest.mark.parametrize("host", ["localhost:2375", "/var/run/docker.sock", "unix:/x", "ftp://x"])
def test_a_docker_host_that_is_no_address(world: World, host: str) -> None:
    world.environment["DOCKER_HOST"] = host
    world.refuses(
        world.rmqha("images", "list"),
        f"rmqha: environment DOCKER_HOST: got {host}; expected unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST. "
        "To do: correct it, or unset it for the local engine.",
        code=2,
    )


def test_client_and_sdk_mean_two_engines(world: World) -> None:
    real = shutil.which("docker")
    a_client(world, f'test "$1" = info && exec echo another-engine; exec {real} "$@"')
    world.refuses(
        world.pytest(),
        "ERROR: docker client: got another engine (*); expected the same engine that is asked directly, "
        f"{world.engine.host}. To do: set DOCKER_HOST to the engine that is meant.",
    )


def test_a_client_that_this_engine_refuses(world: World) -> None:
    words = "Error response from daemon: client version 1.52 is too new. Maximum supported API version is 1.41"
    a_client(world, f'test "$1" = info && {{ echo "{words}" >&2; exit 1; }}; exec {shutil.which("docker")} "$@"')
    world.refuses(
        world.pytest(),
        f"ERROR: docker client: got no answer through it ({words}); expected a client that reaches the engine at "
        f"{world.engine.host}. To do: see what 'docker info' says: *",
    )


def test_the_engine_is_where_the_clients_context_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Docker Desktop and rootless engines: the client finds them by its context, the SDK by DOCKER_HOST only."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(reachable, "DEFAULT_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\necho rootless unix:///run/user/7/docker.sock\n")
    (tmp_path / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    with pytest.raises(UserInputError) as refused:
        reachable.client(1)

    assert refused.value.remedy == (
        "set DOCKER_HOST=unix:///run/user/7/docker.sock, where the client's context rootless has its engine"
    )


def test_an_engine_that_says_nothing(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(place / "silent.sock"))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}/silent.sock")
        with pytest.raises(
            UserInputError, match=r"no answer from unix://.*/silent\.sock \(it did not answer in time\)"
        ):
            reachable.client(1)


def test_images_that_are_not_there(world: World) -> None:
    specs = wanted("4.0", {})
    world.engine.images = {spec.tag: [] for spec in specs[2:]}
    world.refuses(
        world.pytest("--rmq-version=4.0"),
        f"ERROR: images: got not there: {specs[0].tag}, {specs[1].tag}; expected images that were pulled or built before "
        "the run. To do: run 'rmqha images build --line 4.0' first.",
    )


def test_an_image_of_ones_own_that_is_not_there(world: World) -> None:
    world.engine.images = {spec.tag: [] for spec in wanted("3.10", {})}
    world.refuses(
        world.pytest("--rmq-image=team/rabbit:1"),
        "ERROR: images: got not there: team/rabbit:1; expected images that were pulled or built before the run. "
        "To do: run 'rmqha images build --broker-image team/rabbit:1' first.",
    )


def test_an_image_of_another_line(world: World) -> None:
    specs = wanted("3.10", {"broker": "rabbitmq:4.2"})
    world.engine.images = {spec.tag: [] for spec in specs} | {"rabbitmq:4.2": ["RABBITMQ_VERSION=4.2.1"]}
    world.refuses(
        world.pytest("--rmq-image=rabbitmq:4.2"),
        "ERROR: RabbitMQ line: got 3.10, but rabbitmq:4.2 holds 4.2.1; expected the newest line that is not newer than "
        "it (4.0). To do: add --rmq-version=4.0.",
    )


def test_a_subnet_that_clashes_with_a_network_on_the_engine(world: World) -> None:
    world.engine.answers["/networks"] = [
        {"Id": "n1", "Name": "office_vpn", "IPAM": {"Config": [{"Subnet": "198.18.0.0/16"}]}, "Labels": {}}
    ]
    world.refuses(
        world.pytest(),
        "*subnet of topology 3node: got 198.18.40.0/24, taken by office_vpn (198.18.0.0/16); expected a subnet that no "
        "network on this engine overlaps. To do: end the other run (rmqha clean), remove that network, or give the "
        "topology another subnet.*",
    )


def test_a_run_to_reuse_that_is_not_there(world: World) -> None:
    world.refuses(
        world.pytest("--rmq-reuse=20260101-120000-abcd"),
        "*--rmq-reuse: got 20260101-120000-abcd; expected a run that was kept; there is none on this engine. "
        "To do: keep one with --rmq-keep=always or rmqha up.*",
    )


def test_a_run_to_reuse_that_somebody_else_is_at_is_left_alone(world: World) -> None:
    """It lives and was not kept: refusing to take it over must not take it down."""
    labels = {"rmqha.run": "theirs", "com.docker.compose.project": "rmqha-theirs", "com.docker.compose.service": "rmq1"}
    one = {
        "Id": "c1",
        "Names": ["/rmqha-theirs-rmq1-1"],
        "Image": "x",
        "State": "running",
        "Labels": labels | {"rmqha.host": "elsewhere", "com.docker.compose.oneoff": "False"},
    }
    world.engine.answers["/containers/json"] = [one]
    world.engine.answers["/containers/c1/json"] = {
        "Id": "c1",
        "Name": "/rmqha-theirs-rmq1-1",
        "Config": {"Labels": one["Labels"]},
        "State": {"Status": "running"},
    }
    world.refuses(
        world.pytest("--rmq-reuse=theirs"),
        "*--rmq-reuse: got theirs; expected a run that was kept; there is none on this engine.*",
    )
