"""Which images a line needs, what their names hold, whom a name asks, and when a pull is given up."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha.adapters import building, images
from pytest_rmqha.adapters.pulling import NotPulled, Puller
from pytest_rmqha.errors import ToolFailed, UserInputError
from pytest_rmqha.images import spec
from pytest_rmqha.images.registry import is_exact, is_of_this_image_alone, name_and_tag, registry_of, through
from pytest_rmqha.images.spec import LINES, ROLES, wanted

NO_HOST = 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host'


def silent(_text: str) -> None:
    """Nobody listens."""


class PullerOf(Puller):
    """Asks nobody: every registry gives what ``answers`` says; without an answer the image comes."""

    def __init__(self, registry: str | None, answers: dict[str, str]) -> None:
        self.said: list[str] = []
        super().__init__(registry, self.said.append, given_up={})
        self.answers, self.asked = answers, list[str]()

    def _pull(self, name: str) -> None:
        self.asked.append(name)
        if name in self.answers:
            raise NotPulled(self.answers[name])


@pytest.mark.parametrize("line", LINES)
def test_a_line_needs_an_image_for_each_role(line: str) -> None:
    specs = wanted(line, {})
    assert tuple(each.role for each in specs) == ROLES
    for each in specs:
        name, _, tag = each.tag.partition(":")
        assert name == f"rmqha/{each.role}"
        assert len(tag.rpartition("-")[2]) == 12


def test_lines_share_client_and_link_proxy_and_nothing_else() -> None:
    tags = {line: {each.role: each.tag for each in wanted(line, {})} for line in LINES}
    assert len({of["client"] for of in tags.values()}) == len({of["toxiproxy"] for of in tags.values()}) == 1
    assert len({of["broker"] for of in tags.values()}) == len({of["balancer"] for of in tags.values()}) == len(LINES)


def test_broker_and_balancer_are_of_one_suite() -> None:
    assert {each.suite for each in wanted("4.0", {}) if each.role in ("broker", "balancer")} == {"trixie"}
    assert {each.base for each in wanted("4.0", {})} == {"debian:trixie-slim", "debian:bookworm-slim", None}


def test_only_the_expired_suite_is_excused_from_its_date() -> None:
    excused = {line for line in LINES if any(each.apt_options for each in wanted(line, {}))}
    assert excused == {"4.3"}


def test_the_digest_changes_with_content_names_and_arguments() -> None:
    digests = {
        spec._digest({"a": b"1"}, "x"),
        spec._digest({"a": b"2"}, "x"),
        spec._digest({"b": b"1"}, "x"),
        spec._digest({"a": b"1", "b": b""}, "x"),
        spec._digest({"a": b"1"}, "y"),
        spec._digest({"a": b"1"}, "x", "y"),
    }
    assert len(digests) == 6
    assert spec._digest({"a": b"1", "b": b"2"}, "x") == spec._digest({"b": b"2", "a": b"1"}, "x")


def test_the_client_image_holds_the_program_and_the_installed_library() -> None:
    context = next(each.context for each in wanted("3.10", {}) if each.role == "client")
    assert {"Dockerfile", "client/__main__.py", "client/ledger.py", "site/pika/__init__.py"} <= set(context)


def test_a_library_without_a_list_of_files_is_an_error_not_an_empty_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "files", lambda _name: None)
    with pytest.raises(ToolFailed, match="pika"):
        wanted("3.10", {})


def test_an_override_is_exactly_that_image() -> None:
    broker = wanted("4.0", {"broker": "rabbitmq:4.2-management"})[0]
    assert (broker.tag, broker.override, broker.version) == ("rabbitmq:4.2-management", "rabbitmq:4.2-management", None)


def test_an_unknown_line_is_named_with_those_there_are() -> None:
    with pytest.raises(UserInputError, match=r"got 3\.9; expected 3\.8, 3\.10, 4\.0, 4\.3"):
        wanted("3.9", {})


def test_an_unknown_role_is_named() -> None:
    with pytest.raises(UserInputError, match=r"got proxy; expected broker, balancer, toxiproxy, client"):
        wanted("3.10", {"proxy": "x"})


@pytest.mark.parametrize(
    ("prefix", "image", "name"),
    [
        (None, "debian:bookworm-slim", "debian:bookworm-slim"),
        ("mirror.example/hub/", "debian:bookworm-slim", "mirror.example/hub/debian:bookworm-slim"),
        ("mirror.example/hub", "ghcr.io/shopify/toxiproxy:2", "mirror.example/hub/shopify/toxiproxy:2"),
        ("localhost:5000", "docker.io/library/debian", "localhost:5000/library/debian"),
        ("mirror.example", "shopify/toxiproxy:2", "mirror.example/shopify/toxiproxy:2"),
    ],
)
def test_a_prefix_takes_the_place_of_the_registry(prefix: str | None, image: str, name: str) -> None:
    assert through(prefix, image) == name


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("debian", "docker.io"),
        ("rabbitmq:4.2", "docker.io"),
        ("shopify/toxiproxy", "docker.io"),
        ("ghcr.io/shopify/toxiproxy:2", "ghcr.io"),
        ("localhost/x", "localhost"),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000"),
    ],
)
def test_whom_a_name_asks(image: str, host: str) -> None:
    assert registry_of(image) == host


@pytest.mark.parametrize(
    ("image", "halves"),
    [
        ("rabbitmq", ("rabbitmq", "latest")),
        ("rabbitmq:4.2", ("rabbitmq", "4.2")),
        ("127.0.0.1:5000/rabbitmq", ("127.0.0.1:5000/rabbitmq", "latest")),
        ("rabbitmq@sha256:ab", ("rabbitmq", "sha256:ab")),
    ],
)
def test_one_tag_is_pulled_never_all(image: str, halves: tuple[str, str]) -> None:
    assert name_and_tag(image) == halves


def test_a_prefix_has_no_say_in_a_name_with_its_own_registry_or_digest() -> None:
    assert is_exact("quay.example/team/rabbitmq:1")
    assert is_exact("rabbitmq@sha256:ab")
    assert not is_exact("team/rabbitmq:1")


@pytest.mark.parametrize(
    ("refusal", "alone"),
    [
        ("manifest unknown: manifest unknown", True),
        ("pull access denied for x, repository does not exist", True),
        ("manifest for debian:x not found", True),
        (NO_HOST, False),
        ("dial tcp 127.0.0.1:9: connect: connection refused", False),
        ("timeout: nothing moved for 20 s", False),
        ("toomanyrequests: rate limit", False),
    ],
)
def test_what_a_refusal_means(refusal: str, alone: bool) -> None:
    assert is_of_this_image_alone(refusal) is alone


def test_a_registry_that_cant_be_reached_is_asked_once() -> None:
    puller = PullerOf(None, {"debian:bullseye-slim": NO_HOST})
    assert [puller.pull(f"debian:{suite}-slim") for suite in ("bullseye", "bookworm", "trixie")] == [None] * 3
    assert puller.asked == ["debian:bullseye-slim"]
    assert puller.pull("ghcr.io/shopify/toxiproxy:2.12.0") == "ghcr.io/shopify/toxiproxy:2.12.0"


def test_a_registry_without_one_image_is_asked_for_the_next() -> None:
    puller = PullerOf("mirror.example", {"mirror.example/debian:forky-slim": "manifest unknown"})
    assert puller.pull("debian:forky-slim") is None
    assert puller.pull("debian:trixie-slim") == "mirror.example/debian:trixie-slim"
    assert "manifest unknown" in puller.said[0]


def test_the_process_remembers_who_gave_nothing() -> None:
    assert Puller(None, silent).given_up is Puller("mirror.example", silent).given_up


def ticking(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    now = iter(step * n for n in range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))


def events(*each: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return iter(each)


def test_a_slow_pull_that_moves_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch, 15.0)
    moving = [{"id": "l", "status": "Downloading", "progressDetail": {"current": n}} for n in range(50)]
    assert len(list(Puller(None, silent)._moving(events(*moving)))) == 50


@pytest.mark.parametrize("status", ["Retrying in 5 seconds", "Waiting", "Downloading"])
def test_a_pull_in_which_nothing_moves_is_given_up(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    ticking(monkeypatch, 1.0)
    still = [{"id": "l", "status": status, "progressDetail": {"current": 7}} for _ in range(100)]
    with pytest.raises(NotPulled, match="nothing moved for 20 s"):
        list(Puller(None, silent)._moving(events(*still)))


def test_an_error_in_the_stream_is_a_refusal() -> None:
    with pytest.raises(NotPulled, match="no space left"):
        list(Puller(None, silent)._moving(events({"error": "no space left"})))


def test_missing_images_are_named_with_the_command_that_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = wanted("3.10", {})
    monkeypatch.setattr(images, "missing", lambda _specs: specs[:1])
    with pytest.raises(UserInputError, match=r"not there: rmqha/broker:3\.10-\w{12}; .*'rmqha images build'"):
        images.present(specs)


def test_a_missing_override_is_named_with_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = wanted("3.10", {"broker": "rabbitmq:4.2"})
    monkeypatch.setattr(images, "missing", lambda _specs: specs[:1])
    with pytest.raises(UserInputError, match=r"'rmqha images build --broker-image rabbitmq:4\.2'"):
        images.present(specs)


class Told:
    """An image of the engine that says what the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int, text: str) -> None:
        monkeypatch.setattr(images, "_engine", lambda _timeout: None)
        monkeypatch.setattr(images, "_run", lambda _client, _spec, _command: (code, text))


def test_a_suite_that_moved_on_does_not_pass_for_the_line_it_left(monkeypatch: pytest.MonkeyPatch) -> None:
    Told(monkeypatch, 0, "4.4.0\nErlang 29")
    with pytest.raises(ToolFailed, match=r"4\.3\. was expected, it says: 4\.4\.0"):
        images.programs(wanted("4.3", {})[:1])


def test_the_right_version_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    Told(monkeypatch, 0, "3.10.8\nErlang 25")
    assert images.programs(wanted("3.10", {})[:1]) == {"broker": "3.10.8 / Erlang 25"}


def test_programs_that_do_not_start_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Told(monkeypatch, 127, "rabbitmqctl: not found")
    with pytest.raises(ToolFailed, match="ended with 127: rabbitmqctl: not found"):
        images.programs([replace(wanted("3.10", {})[0], version=None)])


def test_a_build_context_keeps_the_run_bit_of_what_runs() -> None:
    with tarfile.open(fileobj=building.context_archive({"start-broker": b"#!", "Dockerfile": b"FROM x"})) as archive:
        assert {entry.name: entry.mode for entry in archive} == {"Dockerfile": 0o644, "start-broker": 0o755}


def test_a_tool_that_fails_is_quoted() -> None:
    with pytest.raises(ToolFailed, match="failed with 3: no such suite"):
        building.run_tool(["sh", "-c", "echo no such suite; exit 3"], silent)


def test_a_tool_that_hangs_is_ended_and_said_to_be_at_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(building, "SAY_EVERY", 0.05)
    said: list[str] = []
    with pytest.raises(ToolFailed, match="sleep was not done within 0 s"):
        building.run_tool(["sleep", "30"], said.append, limit=0.2)
    assert said and said[0].startswith("sleep: at work for")
