"""The ``rmqha`` command: the same words, exit code 2."""

from __future__ import annotations

import pytest

from tests.plugin.bad_input import machine
from tests.plugin.bad_input.conftest import World

NO_SOCKET = "rmqha: docker engine: got no socket */none.sock; expected Docker Engine 20.10 or later, which has API 1.41. To do: start it *"
CASES = {
    "an unknown line": (("images", "list", "--line=3.9"), "rmqha: RabbitMQ line: got 3.9; expected 3.8, 3.10, 4.0, 4.3. To do: *"),
    "a registry with its scheme": (
        ("images", "build", "--registry=https://registry.example.org"),
        "rmqha: --registry: got https://registry.example.org; expected a registry prefix such as registry.example.org/mirror. To do: leave out https:// and blanks.",
    ),
    "an image with a blank": (
        ("images", "build", "--broker-image=My Image"),
        "rmqha: --broker-image: got My Image; expected an image reference such as rabbitmq:3.13-management. To do: check for blanks and capital letters.",
    ),
    "a run that has nothing on the engine": (
        ("clean", "--run=20260101-000000-abcd"),
        "rmqha: --run: got 20260101-000000-abcd; expected a run with something on the engine; there is none. To do: name one of these, or leave --run out *",
    ),
    "a configuration that is not there": (("config", "check", "nowhere"), "rmqha: DIR: got nowhere; expected a readable folder *is not there: name the folder."),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), CASES.values(), ids=CASES.keys())
def test_a_value_is_refused(world: World, arguments: tuple[str, ...], message: str) -> None:
    world.refuses(world.rmqha(*arguments), message, code=2)


@pytest.mark.parametrize("arguments", [("images", "list"), ("images", "build"), ("images", "verify"), ("clean",)])
def test_no_engine_runs(world: World, arguments: tuple[str, ...]) -> None:
    world.environment["DOCKER_HOST"] = f"unix://{world.place}/none.sock"
    world.refuses(world.rmqha(*arguments), NO_SOCKET, code=2)


def test_an_engine_whose_api_is_too_old(world: World) -> None:
    world.engine.api = "1.39"
    world.refuses(
        world.rmqha("clean", "--all"),
        "rmqha: docker engine: got version 20.10.24 with API 1.39 at *; expected Docker Engine 20.10 or later, *",
        code=2,
    )


@pytest.mark.parametrize("arguments", [(), ("imagse",), ("images",), ("images", "make"), ("clean", "--runs")])
def test_a_call_that_is_none_shows_how_it_is_called(world: World, arguments: tuple[str, ...]) -> None:
    said = world.rmqha(*arguments)
    assert said.code == 2
    assert said.err.startswith("usage: rmqha ") and "Traceback" not in said.err
    assert world.engine.asked == []


def doctor(world: World, *changes: machine.Change) -> dict[str, str]:
    """name of a look -> its line."""
    said = world.rmqha("doctor", changes=changes)
    assert said.code == 1 and said.err == "", said.text
    assert world.engine.made == []
    return {line[8:].partition(":")[0]: line for line in said.out.splitlines()}


def test_the_doctor_finds_nothing_on_an_empty_machine(world: World) -> None:
    world.environment |= {"PATH": "", "DOCKER_HOST": f"unix://{world.place}/none.sock"}

    found = doctor(world)

    assert found["compose plug-in"].startswith("MISSING compose plug-in: docker client: none on PATH. To do: install")
    assert found["docker engine"].startswith("MISSING docker engine: docker engine: no socket ")
    assert found["permission"].startswith("MISSING permission: there is no ")
    assert found["one engine"].startswith("MISSING one engine: docker client: none on PATH. To do: set DOCKER_HOST")
    for name in ("nftables", "memory", "disk", "subnet"):
        assert found[name].startswith(f"unknown {name}: could not look (docker engine: no socket "), found[name]


def test_the_doctor_says_that_an_engine_is_too_old(world: World) -> None:
    world.engine.api = "1.40"
    found = doctor(world)
    assert found["docker engine"].startswith("MISSING docker engine: docker engine: version 20.10.24 with API 1.40 at ")


@pytest.mark.needs("nobody")
def test_the_doctor_says_that_this_user_may_not(world: World) -> None:
    world.engine.socket.chmod(0o000)
    found = doctor(world, machine.become_nobody)
    assert found["permission"].startswith(
        f"MISSING permission: user id {machine.NOBODY}, {world.engine.socket}. To do:"
    )
