"""Images on the engine: present, else pulled, else built from packages. At run time nothing is made: ``present`` only looks."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import docker
import docker.errors

from pytest_rmqha.errors import ToolFailed, UserInputError
from pytest_rmqha.images.spec import TOXIPROXY, TOXIPROXY_IMAGE, TOXIPROXY_MODULE, ImageSpec

Say = Callable[[str], None]
PULL_LIMIT = 20.0
MIRROR = os.environ.get("RMQHA_DEBIAN_MIRROR", "http://deb.debian.org/debian")


class Puller:
    """Pulls with one try and a limit; a registry that refused or hung once is not asked again by this process."""

    def __init__(self, registry: str | None, say: Say, limit: float = PULL_LIMIT) -> None:
        self.registry, self.say, self.limit = registry, say, limit
        self.refused: dict[str, str] = {}

    def name(self, image: str) -> str:
        return f"{self.registry.rstrip('/')}/{image}" if self.registry else image

    def pull(self, image: str) -> str | None:
        """The pulled name, or None with the reason said. ``limit`` seconds bound a pull that hangs."""
        name = self.name(image)
        host = _registry_of(name)
        if host in self.refused:
            return None
        began = time.monotonic()
        try:
            done = subprocess.run(["docker", "pull", "-q", name], capture_output=True, text=True, timeout=self.limit)
        except subprocess.TimeoutExpired:
            self.refused[host] = f"no answer within {self.limit:.0f} s"
        else:
            if done.returncode == 0:
                self.say(f"pulled {name} in {time.monotonic() - began:.0f} s")
                return name
            self.refused[host] = (done.stderr.strip().splitlines() or ["refused"])[-1][:120]
        self.say(f"can't pull {name} ({self.refused[host]}): building instead")
        return None


def _registry_of(name: str) -> str:
    first, slash, _ = name.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "default"


def _exists(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def present(specs: Sequence[ImageSpec]) -> Mapping[str, str]:
    """role -> tag, all of them on the engine already; otherwise UserInputError naming the missing ones."""
    try:
        client = docker.from_env(timeout=20)
        missing = [spec.tag for spec in specs if not _exists(client, spec.tag)]
    except docker.errors.DockerException as error:
        raise UserInputError(
            "docker engine",
            f"no answer ({str(error)[:160]})",
            "a running engine that this user may ask",
            "start it (as root on Debian: make engine) or join the docker group",
        ) from None
    if missing:
        raise UserInputError(
            "images",
            f"not there: {', '.join(missing)}",
            "images that were pulled or built before the run",
            "run 'rmqha images build' (or make images) first",
        )
    return {spec.role: spec.tag for spec in specs}


def ensure(specs: Sequence[ImageSpec], *, registry: str | None, say: Say) -> Mapping[str, str]:
    """Have each image on the engine: present, pulled, or built; says what takes longer than a moment."""
    client = docker.from_env(timeout=600)
    puller = Puller(registry, say)
    for spec in specs:
        if _exists(client, spec.tag):
            say(f"{spec.role}: {spec.tag} is here")
            continue
        began = time.monotonic()
        if spec.override is not None:
            if puller.pull(spec.override) is None:
                raise UserInputError(
                    f"{spec.role} image", spec.override, "an image on this engine or in a registry", "check its name"
                )
            continue
        if spec.role == "toxiproxy":
            pulled = puller.pull(TOXIPROXY_IMAGE)
            if pulled is not None:
                client.images.get(pulled).tag(spec.tag)
                continue
            _build(client, spec, {"toxiproxy": _toxiproxy_binary(say)}, {}, say)
        else:
            _build(client, spec, {}, {"BASE": _base(client, spec, puller, say), "APT_OPTIONS": spec.apt_options}, say)
        say(f"{spec.role}: {spec.tag} made in {time.monotonic() - began:.0f} s")
    return {spec.role: spec.tag for spec in specs}


def _base(client: docker.DockerClient, spec: ImageSpec, puller: Puller, say: Say) -> str:
    own = f"rmqha/base:{spec.suite}"
    if _exists(client, own):
        return own
    assert spec.base is not None
    if _exists(client, puller.name(spec.base)):
        return puller.name(spec.base)
    pulled = puller.pull(spec.base)
    return pulled if pulled is not None else _bootstrapped(client, spec, own, say)


def _bootstrapped(client: docker.DockerClient, spec: ImageSpec, tag: str, say: Say) -> str:
    """A base root file system from packages, imported as an image."""
    if shutil.which("mmdebstrap") is None:
        raise UserInputError(
            "mmdebstrap",
            "not installed",
            f"it, or a registry to pull {spec.base} from",
            "install mmdebstrap (on Debian as root: make engine) or give --registry",
        )
    say(f"base {spec.suite}: made from packages (about 25 s)")
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "root.tar"
        options = ['--aptopt=Acquire::Check-Valid-Until "false"'] if spec.apt_options else []
        command = ["mmdebstrap", "--variant=minbase", *options, spec.suite, str(archive), MIRROR]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise ToolFailed(f"mmdebstrap {spec.suite} failed: {done.stderr.strip()[-500:]}")
        name, _, suite = tag.partition(":")
        client.api.import_image(src=str(archive), repository=name, tag=suite)
    return tag


def _toxiproxy_binary(say: Say) -> bytes:
    """The server built from its Go module (statically, for an image without anything else)."""
    if shutil.which("go") is None:
        raise UserInputError(
            "go",
            "not installed",
            f"the Go tool chain, or a registry to pull {TOXIPROXY_IMAGE} from",
            "install Go (on Debian: golang-go) or give --registry",
        )
    say("toxiproxy: built from its Go module")
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": place}
        flags = f"-X github.com/Shopify/toxiproxy/v2.Version={TOXIPROXY}"
        done = subprocess.run(
            ["go", "install", "-ldflags", flags, TOXIPROXY_MODULE],
            capture_output=True,
            text=True,
            timeout=600,
            env=environment,
        )
        if done.returncode != 0:
            raise ToolFailed(f"building toxiproxy failed: {done.stderr.strip()[-500:]}")
        return (Path(place) / "server").read_bytes()


def _build(
    client: docker.DockerClient, spec: ImageSpec, more: Mapping[str, bytes], arguments: Mapping[str, str], say: Say
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in {**spec.context, **more}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if name.startswith(("start-", "toxiproxy")) else 0o644
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    said: list[str] = []
    last = time.monotonic()
    for piece in client.api.build(
        fileobj=buffer,
        custom_context=True,
        tag=spec.tag,
        rm=True,
        forcerm=True,
        decode=True,
        buildargs=dict(arguments),
        labels={"rmqha.image": spec.role},
    ):
        if "error" in piece:
            raise ToolFailed(f"building {spec.tag} failed: {piece['error']}\n" + "".join(said[-15:]))
        said.append(str(piece.get("stream", "")))
        if time.monotonic() - last > 5:
            last = time.monotonic()
            say(f"{spec.role}: still building ({''.join(said[-3:]).strip()[-70:]})")


VERSIONS = {
    "broker": [
        "sh",
        "-c",
        "ls /usr/lib/rabbitmq/lib | grep rabbitmq_server; dpkg-query -W -f '${Version}' erlang-base",
    ],
    "balancer": ["sh", "-c", "haproxy -v | head -1; keepalived --version 2>&1 | head -1; nft --version"],
    "client": [
        "python3",
        "-c",
        "import sys, pika, rmqha_client.session; print(sys.version.split()[0], 'pika', pika.__version__)",
    ],
    "toxiproxy": ["/toxiproxy", "-version"],
}


def programs(specs: Sequence[ImageSpec]) -> Mapping[str, str]:
    """role -> what the programs in its image say of their versions; an image whose programs do not start raises."""
    client = docker.from_env(timeout=60)
    found = {}
    for spec in specs:
        command = VERSIONS[spec.role]
        said = client.containers.run(
            spec.tag, entrypoint=command[:1], command=command[1:], remove=True, network_mode="none", stderr=True
        )
        found[spec.role] = " / ".join(bytes(said).decode().split("\n")).strip(" /")
    return found
