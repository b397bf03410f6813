"""Makes what can't be pulled: a base root file system and the toxiproxy server from packages, images from both."""

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
import requests

from pytest_rmqha.errors import ToolFailed, UserInputError
from pytest_rmqha.images.spec import TOXIPROXY, TOXIPROXY_IMAGE, TOXIPROXY_MODULE, ImageSpec

Say = Callable[[str], None]
SAY_EVERY = 5.0
TOOL_LIMIT = 600.0
MIRROR = os.environ.get("RMQHA_DEBIAN_MIRROR", "http://deb.debian.org/debian")
GO_ELSEWHERE = "/usr/local/go/bin/go"


def build(
    client: docker.DockerClient, spec: ImageSpec, more: Mapping[str, bytes], arguments: Mapping[str, str], say: Say
) -> None:
    """Build one image and say now and then what the build is at. Layers that are here already are taken."""
    said: list[str] = []
    last = time.monotonic()
    try:
        for piece in client.api.build(
            fileobj=context_archive({**spec.context, **more}),
            custom_context=True,
            tag=spec.tag,
            rm=True,
            forcerm=True,
            timeout=int(TOOL_LIMIT),  # between any two words of the build: the SDK sets none
            decode=True,
            buildargs=dict(arguments),
            labels={"rmqha.image": spec.role},
        ):
            if "error" in piece:
                raise ToolFailed(f"building {spec.tag} failed: {piece['error']}\n{''.join(said[-15:])}")
            said.append(str(piece.get("stream", "")))
            if time.monotonic() - last > SAY_EVERY:
                last = time.monotonic()
                say(f"{spec.role}: still building ({' '.join(''.join(said[-3:]).split())[-70:]})")
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise ToolFailed(f"building {spec.tag} failed: {error}\n{''.join(said[-15:])}") from error


def context_archive(context: Mapping[str, bytes]) -> io.BytesIO:
    """A build context. Times and owners are left at zero: the same files are the same layer on every machine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in sorted(context):
            entry = tarfile.TarInfo(name)
            entry.size = len(context[name])
            entry.mode = 0o755 if name.startswith(("start-", "toxiproxy")) else 0o644
            archive.addfile(entry, io.BytesIO(context[name]))
    buffer.seek(0)
    return buffer


def base_from_packages(client: docker.DockerClient, spec: ImageSpec, say: Say) -> str:
    """The suite's minimal root file system, made by mmdebstrap and imported as an image."""
    if shutil.which("mmdebstrap") is None:
        raise UserInputError(
            "mmdebstrap",
            "not installed",
            f"it, or a registry to pull {spec.base} from",
            "install mmdebstrap (on Debian as root: make engine) or give --registry",
        )
    say(f"base {spec.suite}: made from packages (about half a minute)")
    options = ['--aptopt=Acquire::Check-Valid-Until "false"'] if spec.apt_options else []
    with tempfile.TemporaryDirectory(prefix="rmqha-base-") as place:
        archive = Path(place) / "root.tar"
        run_tool(["mmdebstrap", "--variant=minbase", *options, spec.suite, str(archive), MIRROR], say)
        name, _, suite = spec.own_base.partition(":")
        try:
            client.api.import_image(src=str(archive), repository=name, tag=suite, changes=["LABEL rmqha.image=base"])
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            raise ToolFailed(f"{spec.own_base} was made and the engine did not take it: {str(error)[:300]}") from error
    return spec.own_base


def toxiproxy_server(say: Say) -> bytes:
    """The server from its Go module, linked statically: its image holds nothing else. For this machine's processor."""
    go = _go(say)
    say("toxiproxy: built from its Go module")
    with tempfile.TemporaryDirectory(prefix="rmqha-go-") as place:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": place}
        flags = f"-X github.com/Shopify/toxiproxy/v2.Version={TOXIPROXY}"
        run_tool([go, "install", "-ldflags", flags, TOXIPROXY_MODULE], say, environment)
        return (Path(place) / "server").read_bytes()


def _go(say: Say) -> str:
    found = shutil.which("go") or shutil.which(GO_ELSEWHERE)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("go: installed from packages")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run_tool(["apt-get", "update", "-qq"], say, environment)
        run_tool(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "golang-go"], say, environment)
        found = shutil.which("go")
    if found is None:
        raise UserInputError(
            "go",
            "not installed",
            f"the Go tool chain (1.21 or later), or a registry to pull {TOXIPROXY_IMAGE} from",
            "install Go (https://go.dev/dl or Debian's golang-go) or give --registry",
        )
    return found


def run_tool(
    command: Sequence[str], say: Say, environment: Mapping[str, str] | None = None, limit: float = TOOL_LIMIT
) -> None:
    """Run a program and say every few seconds that it still does; ToolFailed with the end of its output."""
    began = time.monotonic()
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        except OSError as error:
            raise ToolFailed(f"{name} can't be run: {error.strerror}") from error
        try:
            while process.poll() is None:
                took = time.monotonic() - began
                if took > limit:
                    raise ToolFailed(f"{name} was not done within {limit:.0f} s. {_end_of(output)}")
                try:
                    process.wait(min(SAY_EVERY, limit - took + 0.1))
                except subprocess.TimeoutExpired:
                    say(f"{name}: at work for {time.monotonic() - began:.0f} s")
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if process.returncode != 0:
            raise ToolFailed(f"{' '.join(command[:2])} failed with {process.returncode}: {_end_of(output)}")


def _end_of(output: object) -> str:
    """The last words of a program, for the error."""
    assert hasattr(output, "seek") and hasattr(output, "read")
    output.seek(0)
    return bytes(output.read()).decode(errors="replace").strip()[-600:]
