"""Whether the engine of this machine can be worked with, asked before anything is looked for or made on it.

Two programs talk to it: the docker SDK (this process) and the docker client with its compose plug-in. Both must be there,
both must mean the same engine, and it must be new enough. Every refusal is one UserInputError.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
from docker.utils import kwargs_from_env

from pytest_rmqha.errors import UserInputError

OLDEST_API = (1, 41)
ENGINE = "Docker Engine 20.10 or later, which has API 1.41"
DEFAULT_HOST = "unix:///var/run/docker.sock"
START_IT = "start it (as root on Debian: make engine), or set DOCKER_HOST to where it is"
HOSTS = "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST"
PATIENCE = 10.0


def require_engine() -> None:
    """The client, its compose plug-in, and one engine for both; about a quarter of a second where all is well."""
    require_compose()
    engine_id = str(client(PATIENCE).info().get("ID", ""))
    _refuse_another_engine(engine_id)


def require_client() -> None:
    if shutil.which("docker") is None:
        raise UserInputError(
            "docker client",
            "none on PATH",
            "the program 'docker' with the compose v2 plug-in",
            "install it (as root on Debian: make engine), or add its folder to PATH",
        )


def require_compose() -> str:
    """The version of the compose plug-in."""
    require_client()
    code, said = _docker("compose", "version", "--short")
    version = re.fullmatch(r"v?(\d+)\.\S+", said)
    if code != 0 or version is None:
        raise UserInputError(
            "compose plug-in",
            "none: the docker client knows no command 'compose'",
            "compose v2 or later as a plug-in of the docker client",
            "install it (as root on Debian: make engine; elsewhere the package docker-compose-plugin)",
        )
    if int(version[1]) < 2:
        raise UserInputError("compose plug-in", said, "version 2 or later", "update it")
    return said.removeprefix("v")


def client(timeout: float) -> docker.DockerClient:
    """The SDK's client of an engine that answered just now; ``timeout`` (seconds) bounds each of its calls."""
    refuse_unknown_host()
    _refuse_closed_socket()
    told = _version(min(timeout, PATIENCE))
    api = tuple(int(part) for part in re.findall(r"\d+", str(told.get("ApiVersion", ""))))
    if not api:
        raise UserInputError(
            "docker engine", f"an answer without an API version from {where()}", ENGINE, f"{START_IT}: {HOSTS}"
        )
    if api < OLDEST_API:
        raise UserInputError(
            "docker engine",
            f"version {told.get('Version', 'unknown')} with API {told['ApiVersion']} at {where()}",
            ENGINE,
            "update the engine, or set DOCKER_HOST to a newer one",
        )
    if str(told.get("Os", "linux")) != "linux":
        raise UserInputError(
            "docker engine", f"one for {told['Os']} containers", "one for linux containers", "switch it over"
        )
    return docker.from_env(timeout=max(1, int(timeout)))


def where() -> str:
    """The engine that the SDK asks."""
    return os.environ.get("DOCKER_HOST") or DEFAULT_HOST


def refuse_unknown_host() -> None:
    if not re.match(r"(?:unix|tcp|ssh|https?|npipe|http\+unix)://.", where()):
        raise UserInputError("environment DOCKER_HOST", where(), HOSTS, "correct it, or unset it for the local engine")


def _refuse_closed_socket() -> None:
    """Opens the socket itself: the SDK packs a plain 'permission denied' into three other errors."""
    if not where().startswith("unix://"):
        return
    path = "/" + where().removeprefix("unix://").lstrip("/")
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(PATIENCE)
            door.connect(path)
    except PermissionError:
        raise UserInputError(
            "permission",
            f"{_whoami()}, who may not open {path}",
            "a user that may ask the engine",
            f"run as root, or join the group that owns the socket{_group(path)} and log in again",
        ) from None
    except FileNotFoundError:
        raise UserInputError("docker engine", f"no socket {path}", ENGINE, _there_instead() or START_IT) from None
    except OSError as error:
        raise UserInputError(
            "docker engine", f"nobody who listens at {path} ({error.strerror or error})", ENGINE, START_IT
        ) from None


def _version(timeout: float) -> dict[str, Any]:
    """What the engine says of itself; asked without a version in the path, which an older one would refuse."""
    try:
        api = docker.APIClient(
            version=".".join(map(str, OLDEST_API)), **kwargs_from_env(), timeout=max(1, int(timeout))
        )
        try:
            told = api.version(api_version=False)
        finally:
            api.close()
    except (docker.errors.DockerException, requests.RequestException, OSError, ValueError) as error:
        raise UserInputError("docker engine", f"no answer from {where()} ({_why(error)})", ENGINE, START_IT) from None
    return told if isinstance(told, dict) else {}


def _refuse_another_engine(engine_id: str) -> None:
    """Compose goes where the client's context points to; the SDK knows DOCKER_HOST only."""
    code, said = _docker("info", "--format", "{{.ID}}")
    if code != 0:
        raise UserInputError(
            "docker client",
            f"no answer through it ({said[-160:]})",
            f"a client that reaches the engine at {where()}",
            "see what 'docker info' says: install a client that fits the engine, or correct its context",
        )
    if said != engine_id:
        raise UserInputError(
            "docker client",
            f"another engine ({_context()[1] or 'unknown'}, its context {_context()[0] or 'unknown'})",
            f"the same engine that is asked directly, {where()}",
            _there_instead() or "set DOCKER_HOST to the engine that is meant",
        )


def _there_instead() -> str:
    """The remedy where the client's context knows an engine somewhere else; empty if it doesn't."""
    name, host = _context()
    if os.environ.get("DOCKER_HOST") or not host or host == DEFAULT_HOST:
        return ""
    return f"set DOCKER_HOST={host}, where the client's context {name} has its engine"


def _context() -> tuple[str, str]:
    """(name, host) of the client's context; empty texts where there is no client that knows contexts."""
    code, said = _docker("context", "inspect", "--format", "{{.Name}} {{.Endpoints.docker.Host}}")
    name, _, host = said.partition(" ")
    return (name, host) if code == 0 else ("", "")


def _docker(*arguments: str) -> tuple[int, str]:
    """Exit code and the words of the docker client, in one line."""
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, errors="replace", timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return 1, f"docker {arguments[0]} gave no answer within {PATIENCE:.0f} s"
    except OSError as error:
        return 1, f"docker can't be run: {error.strerror}"
    return done.returncode, " ".join((done.stdout if done.returncode == 0 else done.stderr).split())


def _why(error: BaseException) -> str:
    """The plain reason at the bottom of what the SDK has wrapped, in one line."""
    chain = list(_chain(error))
    if any("timed out" in str(one).lower() for one in chain):
        return "it did not answer in time"
    plain = [one.strerror for one in chain if isinstance(one, OSError) and one.strerror]
    return " ".join(str(plain[-1] if plain else chain[-1]).split())[:160]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _whoami() -> str:
    return f"user id {os.geteuid()}"


def _group(path: str) -> str:
    try:
        found = Path(path).stat()
        return f" (group id {found.st_gid}, mode {stat.S_IMODE(found.st_mode):03o})"
    except OSError:
        return ""
