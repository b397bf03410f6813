"""The contract of ``BrokerApi``, held by the management API of one broker and by the fake of the unit tests."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pytest_rmqha import data
from pytest_rmqha.adapters.bring_up import ADD_ADMIN, ADMIN
from pytest_rmqha.adapters.engine import FileToPut
from pytest_rmqha.adapters.management import Management
from pytest_rmqha.clock import now
from pytest_rmqha.config.folder import layered
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.outside import BrokerApi
from pytest_rmqha.waiting import await_match, seconds
from tests.contract.small_run import SmallRun
from tests.unit.fakes import FakeApi

IT, NAME = "broker", "rabbit@broker"
TIMEOUT = 1.0


@dataclass(frozen=True)
class Side:
    """``freeze`` takes the broker's answers away, ``thaw`` gives them back."""

    api: BrokerApi
    freeze: Callable[[], None]
    thaw: Callable[[], None]

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()


@pytest.fixture(scope="module")
def broker(small_run: SmallRun) -> Iterator[Side]:
    """As a run's single broker is brought up: the reference's files, our cookie, our administrator."""
    password = secrets.token_urlsafe(12)
    folders = [data.compose_folder() / "reference", data.compose_folder() / "1node"]
    files = [FileToPut(f.target, f.content, f.mode) for f in layered(folders, IT, "broker").values()]
    files.append(FileToPut("/var/lib/rabbitmq/.erlang.cookie", secrets.token_hex(16).encode(), 0o400))
    files.append(FileToPut("/run/rmqha/admin", password.encode(), 0o444))
    engine = small_run.engine
    api = Management(small_run.member(IT, "broker", files=files), ADMIN, password, timeout=TIMEOUT)
    try:
        await_match(
            lambda: engine.logs(IT), lambda text: "startup complete" in text, what="a broker", within=seconds(60)
        )
        engine.must(IT, "rabbitmqctl", "eval", ADD_ADMIN)
        await_match(
            lambda: api.get("whoami"), bool, what="its API", within=seconds(20), ignore=(ToolFailed,), every=0.1
        )
        yield Side(api, lambda: engine.pause(IT), lambda: engine.unpause(IT))
    finally:
        small_run.remove(IT)


@pytest.fixture(params=["fake", "real"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """With one vhost, ``v``, which is empty."""
    if request.param == "fake":
        fake = FakeApi([NAME])
        chosen = Side(fake, lambda: setattr(fake, "mute", True), lambda: setattr(fake, "mute", False))
    else:
        chosen = request.getfixturevalue("broker")
    chosen.api.put_vhost("v")
    yield chosen
    chosen.api.delete_vhost("v")


@pytest.fixture
def api(side: Side) -> BrokerApi:
    return side.api


def await_queues(api: BrokerApi, vhost: str | None, *names: str) -> None:
    """The lists of a broker come from a cache that may be some milliseconds old."""
    await_match(
        lambda: sorted(q["name"] for q in api.queues(vhost)),
        lambda found: found == sorted(names),
        what=f"{names} in {vhost or 'all vhosts'}",
        within=seconds(5),
    )


def test_a_node_sees_itself_running(api: BrokerApi) -> None:
    assert [(n["name"], n["running"]) for n in api.nodes()] == [(NAME, True)]


def test_a_missing_queue_is_a_key_error(api: BrokerApi) -> None:
    with pytest.raises(KeyError):
        api.queue("v", "nobody")


@pytest.mark.parametrize("ask", [lambda a: a.queue("nowhere", "q"), lambda a: a.queues("nowhere")])
def test_a_missing_vhost_is_a_key_error(api: BrokerApi, ask: Callable[[BrokerApi], object]) -> None:
    with pytest.raises(KeyError):
        ask(api)


def test_a_missing_object_asked_for_by_its_path_is_a_key_error(api: BrokerApi) -> None:
    assert api.get("vhosts/v")["name"] == "v"
    with pytest.raises(KeyError):
        api.get("vhosts/nowhere")


def test_a_queue_that_was_put_is_found_in_its_vhost_only(api: BrokerApi) -> None:
    api.put_queue("v", "q", {})
    found = api.queue("v", "q")
    assert (found["vhost"], found["name"], found["durable"], found["node"]) == ("v", "q", True, NAME)
    await_queues(api, "v", "q")
    await_queues(api, None, "q")
    api.put_vhost("w")
    with pytest.raises(KeyError):
        api.queue("w", "q")
    await_queues(api, "w")
    api.delete_vhost("w")


def test_names_are_taken_as_they_are(api: BrokerApi) -> None:
    api.put_queue("v", "a/b ü%2F?c", {})
    assert api.queue("v", "a/b ü%2F?c")["name"] == "a/b ü%2F?c"


def test_a_quorum_queue_names_its_leader_and_members(api: BrokerApi) -> None:
    api.put_queue("v", "quorum", {"x-queue-type": "quorum"})
    found = await_match(
        lambda: api.queue("v", "quorum"), lambda q: q.get("leader") == NAME, what="a leader", within=seconds(10)
    )
    assert (found["members"], found["type"]) == ([NAME], "quorum")


def test_putting_the_same_queue_again_is_no_error(api: BrokerApi) -> None:
    for _ in range(2):
        api.put_queue("v", "q", {"x-max-length": 5})
    await_queues(api, "v", "q")


@pytest.mark.parametrize(
    "other", [lambda a: a.put_queue("v", "q", {"x-max-length": 5}), lambda a: a.put_queue("v", "q", {}, durable=False)]
)
def test_a_queue_is_not_put_again_as_another(api: BrokerApi, other: Callable[[BrokerApi], None]) -> None:
    api.put_queue("v", "q", {})
    with pytest.raises(ToolFailed):
        other(api)


def test_no_queue_is_put_into_a_missing_vhost(api: BrokerApi) -> None:
    with pytest.raises(KeyError):
        api.put_queue("nowhere", "q", {})


def test_a_vhost_may_be_put_twice_and_deleted_twice(api: BrokerApi) -> None:
    api.put_vhost("v")
    for _ in range(2):
        api.delete_vhost("v")
    with pytest.raises(KeyError):
        api.get("vhosts/v")


def test_a_vhost_takes_its_queues_with_it(api: BrokerApi) -> None:
    api.put_queue("v", "q", {})
    api.delete_vhost("v")
    with pytest.raises(KeyError):
        api.queue("v", "q")
    await_queues(api, None)


def test_definitions_name_the_vhosts(api: BrokerApi) -> None:
    assert "v" in {v["name"] for v in api.definitions()["vhosts"]}


def test_what_a_scenario_sets_up_is_accepted(api: BrokerApi) -> None:
    api.put_user("somebody", "secret")
    api.put_permissions("v", "somebody")
    api.put_policy("v", "ha", "^ha\\.", {"ha-mode": "all"})
    api.put_queue("v", "q", {})
    api.put_exchange("v", "e", "topic")
    api.put_binding("v", "e", "q", "#")
    api.queue_action("v", "q", "cancel_sync")


def test_an_unknown_kind_of_exchange_is_a_tool_failure(api: BrokerApi) -> None:
    with pytest.raises(ToolFailed):
        api.put_exchange("v", "e", "gravity")


def test_an_unknown_action_is_a_tool_failure(api: BrokerApi) -> None:
    api.put_queue("v", "q", {})
    with pytest.raises(ToolFailed):
        api.queue_action("v", "q", "gravity")


def test_an_action_on_a_missing_queue_is_refused(api: BrokerApi) -> None:
    """3.10 answers 500 here and newer lines 404."""
    with pytest.raises((KeyError, ToolFailed)):
        api.queue_action("v", "nobody", "sync")


QUESTIONS: dict[str, Callable[[BrokerApi], object]] = {
    "get": lambda a: a.get("whoami", timeout=TIMEOUT),
    "nodes": lambda a: a.nodes(),
    "a missing queue": lambda a: a.queue("v", "nobody"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_frozen_node_is_a_tool_failure_within_the_time_out(side: Side, question: str) -> None:
    with side.frozen():
        began = now()
        with pytest.raises(ToolFailed):
            QUESTIONS[question](side.api)
        assert now() - began < 2 * TIMEOUT + 0.5
    await_match(side.api.nodes, bool, what="its answer", within=seconds(10), ignore=(ToolFailed,))
