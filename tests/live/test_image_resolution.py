"""Where images come from, with a real engine: a registry on loopback, one without the image, one that never answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker
import docker.errors
import pytest

from pytest_rmqha.adapters import images
from pytest_rmqha.adapters.images import ensure, present
from pytest_rmqha.adapters.pulling import Puller
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images.spec import TOXIPROXY, ImageSpec, wanted
from pytest_rmqha.waiting import await_match, seconds

DOCKER = "application/vnd.docker"
MANIFEST = f"{DOCKER}.distribution.manifest.v2+json"
CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return docker.from_env(timeout=60)


@pytest.fixture(scope="module")
def link_proxy() -> ImageSpec:
    spec = next(each for each in wanted("3.10", {}) if each.role == "toxiproxy")
    present([spec])
    return spec


@pytest.fixture
def wanted_image(client: docker.DockerClient, link_proxy: ImageSpec) -> Iterator[ImageSpec]:
    """A spec like the link proxy's under a name that is not on the engine; gone afterwards."""
    spec = replace(link_proxy, tag="rmqha/toxiproxy:resolution-test")
    yield spec
    _forget(client, spec.tag)


@pytest.fixture(scope="module")
def registry(
    client: docker.DockerClient, link_proxy: ImageSpec, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Debian's docker-registry on loopback, holding the link proxy's image as its makers' own and as ``team/own:1``."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
    folder = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=port))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        await_match(lambda: _answers(port), bool, what="the registry answers", within=seconds(20))
        for name in (f"127.0.0.1:{port}/shopify/toxiproxy:{TOXIPROXY}", f"127.0.0.1:{port}/team/own:1"):
            client.images.get(link_proxy.tag).tag(name)
            pushed = list(client.api.push(name, stream=True, decode=True))
            assert not [event for event in pushed if "error" in event], (pushed, (folder / "log").read_text()[-2000:])
            client.images.remove(name)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def mute() -> Iterator[str]:
    """A registry that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


class Stalling(BaseHTTPRequestHandler):
    """A registry with one image of one layer, which it sends a tenth of and then nothing more."""

    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]},
        }
    ).encode()
    config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": f"{DOCKER}.container.image.v1+json", "size": len(config), "digest": config_digest},
            "layers": [
                {"mediaType": f"{DOCKER}.image.rootfs.diff.tar.gzip", "size": 10_000, "digest": "sha256:" + "1" * 64}
            ],
        }
    ).encode()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        body = b"{}"
        kind, length = "application/json", None
        if "/manifests/" in self.path:
            body, kind = self.manifest, MANIFEST
        elif self.path.endswith(self.config_digest):
            body, kind = self.config, "application/octet-stream"
        elif "/blobs/" in self.path:
            body, kind, length = b"x" * 1_000, "application/octet-stream", 10_000
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(body)))
        self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
        if length:
            self.wfile.flush()
            self.server.over.wait(60)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def stalling() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    server.over = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.over.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _forget(client: docker.DockerClient, *names: str) -> None:
    for name in names:
        try:
            client.images.remove(name, noprune=True)
        except docker.errors.ImageNotFound:
            continue


def _no_building(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_say: object) -> bytes:
        raise AssertionError("it was built although it could be pulled")

    monkeypatch.setattr(images, "toxiproxy_server", refuse)


def _built_from_what_is_here(
    client: docker.DockerClient, link_proxy: ImageSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fall-back without a compiler: the server is taken out of the image that is here."""
    container = client.containers.create(link_proxy.tag, network_mode="none")
    try:
        pieces, _ = container.get_archive("/toxiproxy")
        content = b"".join(pieces)
    finally:
        container.remove(v=True)
    monkeypatch.setattr(images, "toxiproxy_server", lambda _say: content)


def test_an_image_in_the_registry_is_pulled_and_labelled(
    client: docker.DockerClient, registry: str, wanted_image: ImageSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_building(monkeypatch)
    said: list[str] = []

    ensure([wanted_image], registry=None, say=said.append, puller=Puller(registry, said.append, given_up={}))

    assert any(text.startswith(f"pulled {registry}/shopify/toxiproxy") for text in said)
    assert client.images.get(wanted_image.tag).labels["rmqha.image"] == "toxiproxy"
    _forget(client, f"{registry}/shopify/toxiproxy:{TOXIPROXY}")


def test_somebodys_own_image_comes_through_the_prefix_under_its_own_name(
    client: docker.DockerClient, registry: str, link_proxy: ImageSpec
) -> None:
    own = replace(link_proxy, tag="team/own:1", override="team/own:1")
    try:
        ensure([own], registry=None, say=print, puller=Puller(registry, print, given_up={}))
        assert present([own]) == {"toxiproxy": "team/own:1"}
    finally:
        _forget(client, "team/own:1", f"{registry}/team/own:1")


def test_an_own_image_that_is_nowhere_is_a_clear_error(registry: str, link_proxy: ImageSpec) -> None:
    own = replace(link_proxy, tag="team/none:1", override="team/none:1")
    puller = Puller(registry, print, given_up={})
    with pytest.raises(UserInputError, match=r"toxiproxy image: got team/none:1"):
        ensure([own], registry=None, say=print, puller=puller)
    assert not puller.given_up, "the registry answered: it may have other images"


def test_a_registry_that_never_answers_costs_its_limit_once_and_the_image_is_built(
    client: docker.DockerClient,
    mute: str,
    link_proxy: ImageSpec,
    wanted_image: ImageSpec,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    _built_from_what_is_here(client, link_proxy, monkeypatch)
    puller = Puller(mute, print, given_up={})
    began = time.monotonic()

    ensure([wanted_image], registry=None, say=print, puller=puller)
    first = time.monotonic() - began
    assert puller.pull("debian:trixie-slim") is None
    second = time.monotonic() - began - first

    assert present([wanted_image])
    assert first < 25
    assert "nothing moved for 20 s" in puller.given_up[mute]
    assert second < 1
    record_property("seconds_until_given_up_and_built", round(first, 1))


def test_a_download_that_stops_midway_is_given_up(client: docker.DockerClient, stalling: str) -> None:
    puller = Puller(stalling, print, still_for=3, given_up={})
    began = time.monotonic()

    assert puller.pull("team/half:1") is None

    assert 2.5 < time.monotonic() - began < 8
    assert "nothing moved for 3 s" in puller.given_up[stalling]


def test_a_registry_that_refuses_costs_nothing(
    client: docker.DockerClient, link_proxy: ImageSpec, wanted_image: ImageSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    _built_from_what_is_here(client, link_proxy, monkeypatch)
    began = time.monotonic()

    ensure([wanted_image], registry=None, say=print, puller=Puller("127.0.0.1:9", print, given_up={}))

    assert present([wanted_image])
    assert time.monotonic() - began < 10


def test_looking_never_pulls(registry: str, link_proxy: ImageSpec) -> None:
    own = replace(link_proxy, tag=f"{registry}/team/own:1", override=f"{registry}/team/own:1")
    with pytest.raises(UserInputError, match="not there"):
        present([own])
