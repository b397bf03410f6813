"""A run in a runner is owned by the process outside, joins its own network and leaves it."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import docker.errors
import pytest

from pytest_rmqha.adapters import own_container, route
from pytest_rmqha.adapters.leftovers import owner_is_alive
from pytest_rmqha.errors import ToolFailed, UserInputError
from pytest_rmqha.waiting import seconds

OUTSIDE = {"rmqha.pid": "7", "rmqha.host": "outside", "rmqha.boot-id": "b", "rmqha.start": "9"}


class FakeNetwork:
    def __init__(self) -> None:
        self.attrs: dict[str, Any] = {"Containers": {}}
        self.done: list[tuple[Any, ...]] = []

    def reload(self) -> None:
        """It knows who is in it."""

    def connect(self, container: str, ipv4_address: str) -> None:
        self.done.append(("connect", container, ipv4_address))

    def disconnect(self, container: str, *, force: bool) -> None:
        self.done.append(("disconnect", container, force))
        if not self.attrs["Containers"]:
            raise docker.errors.APIError("not connected")


class FakeEngine:
    """One run with one network, and a container called ``runner-1``."""

    def __init__(self) -> None:
        self.run = "r1"
        self.network = FakeNetwork()
        self.there = [self.network]
        self.client = self
        self.containers = self
        self.networks = self

    def get(self, name: str) -> Any:
        if name != "runner-1":
            raise docker.errors.NotFound(name)
        return type("Found", (), {"id": "id-1"})

    def list(self, filters: dict[str, str]) -> list[FakeNetwork]:
        assert filters == {"label": "rmqha.run=r1"}
        return self.there


@pytest.fixture
def engine() -> Any:
    return FakeEngine()


@pytest.fixture
def in_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in own_container.environment("runner-1", OUTSIDE).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RMQHA_RUNNER", raising=False)


@pytest.mark.usefixtures("outside")
def test_outside_of_a_runner_this_process_is_the_owner() -> None:
    labels = own_container.owner_labels()

    assert (labels["rmqha.pid"], labels["rmqha.host"]) == (str(os.getpid()), socket.gethostname())
    assert "rmqha.runner" not in labels
    assert owner_is_alive(labels)


@pytest.mark.usefixtures("in_runner")
def test_in_a_runner_the_owner_is_the_process_outside() -> None:
    assert own_container.owner_labels() == {**OUTSIDE, "rmqha.runner": "runner-1"}


@pytest.mark.usefixtures("in_runner")
def test_a_sweep_inside_spares_what_it_cannot_judge() -> None:
    assert owner_is_alive(own_container.owner_labels())


def test_a_sweep_on_the_owners_host_judges_by_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RMQHA_RUNNER", raising=False)
    for name, value in own_container.environment("runner-1", own_container.owner_labels()).items():
        monkeypatch.setenv(name, value)

    alive = own_container.owner_labels()

    assert owner_is_alive(alive)
    assert not owner_is_alive({**alive, "rmqha.start": "1"})


def test_an_owner_that_is_no_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQHA_RUNNER", "runner-1")
    monkeypatch.setenv("RMQHA_RUNNER_OWNER", json.dumps(["x"]))
    with pytest.raises(UserInputError, match="environment RMQHA_RUNNER_OWNER"):
        own_container.owner_labels()


@pytest.mark.usefixtures("outside")
def test_outside_nothing_is_joined_or_left(engine: Any) -> None:
    own_container.join(engine, "198.18.40.198")
    own_container.leave(engine)
    assert engine.network.done == []


@pytest.mark.usefixtures("in_runner")
def test_a_runner_joins_at_its_address_once_and_leaves(engine: Any) -> None:
    own_container.join(engine, "198.18.40.198")
    engine.network.attrs["Containers"] = {"id-1": {}}
    own_container.join(engine, "198.18.40.198")
    own_container.leave(engine)

    assert engine.network.done == [("connect", "id-1", "198.18.40.198"), ("disconnect", "runner-1", True)]


@pytest.mark.usefixtures("in_runner")
def test_to_leave_what_is_gone_or_was_never_joined_is_fine(engine: Any) -> None:
    own_container.leave(engine)
    engine.there = []
    own_container.leave(engine)


@pytest.mark.usefixtures("in_runner")
def test_a_network_that_is_not_there_is_ours_to_explain(engine: Any) -> None:
    engine.there = []
    with pytest.raises(ToolFailed, match="network of run r1: there is none"):
        own_container.join(engine, "198.18.40.198")


def test_a_runner_of_another_engine_is_refused(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMQHA_RUNNER", "elsewhere")
    with pytest.raises(UserInputError, match="elsewhere, which the engine does not know"):
        own_container.join(engine, "198.18.40.198")


class InState:
    def __init__(self, state: str) -> None:
        self.of = state

    def state(self, service: str) -> str:
        return self.of


def listening() -> socket.socket:
    door = socket.create_server(("127.0.0.1", 0))
    door.settimeout(5)
    return door


def test_a_connection_and_a_refusal_are_answers() -> None:
    with listening() as door:
        port = int(door.getsockname()[1])
        assert route.answers("127.0.0.1", port)
    assert route.answers("127.0.0.1", port)


@pytest.mark.usefixtures("outside")
def test_a_silent_address_of_a_running_container_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "answers", lambda *_: False)
    with pytest.raises(UserInputError) as told:
        route.refuse_unreachable(InState("running"), "rmqha-toxiproxy", "198.18.40.200", 8474, seconds(0.1))

    said = str(told.value)
    assert said.startswith("network of the run: got no way from here to 198.18.40.200, where rmqha-toxiproxy runs;")
    assert "'rmqha run -- '" in said
    assert "\n" not in said


@pytest.mark.usefixtures("outside")
def test_a_container_that_does_not_run_is_somebody_elses_to_explain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "answers", lambda *_: False)
    route.refuse_unreachable(InState("exited"), "rmqha-toxiproxy", "198.18.40.200", 8474, seconds(0.1))


@pytest.mark.usefixtures("in_runner")
def test_in_a_runner_the_same_silence_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "answers", lambda *_: False)
    with pytest.raises(ToolFailed, match="the runner, which is in its network, can't reach"):
        route.refuse_unreachable(InState("running"), "rmqha-toxiproxy", "198.18.40.200", 8474, seconds(0.1))
