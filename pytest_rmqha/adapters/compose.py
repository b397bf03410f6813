"""The compose project of a run: brought up and down through testcontainers' ``DockerCompose``.

What DockerCompose lacks (a project name, time-outs, a session of its own, clean-up of dead containers and volumes) is set
around it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from testcontainers.compose import DockerCompose

from pytest_rmqha.adapters.reachable import require_client, require_compose
from pytest_rmqha.errors import StackNotUp, UserInputError

LIMIT = 30.0
UP_LIMIT = 180.0


def image_variables(images: Mapping[str, str]) -> dict[str, str]:
    """What a compose file can name an image by, variable -> image (``images``: role -> image)."""
    names = {"broker": "RMQHA_BROKER_IMAGE", "balancer": "RMQHA_BALANCER_IMAGE"}
    return {variable: images[role] for role, variable in names.items() if role in images}


def read_config(file: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``docker compose config`` makes of a file: the one description of a topology that there is."""
    require_client()
    command = ["docker", "compose", "-f", str(file), "config", "--format", "json"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired:
        raise UserInputError(
            "compose file",
            f"{file}, for which 'docker compose config' gave no answer within {LIMIT:.0f} s",
            "a file that it reads at once",
            "take out what has to be fetched from elsewhere (include, extends)",
        ) from None
    if done.returncode != 0:
        require_compose()
        raise UserInputError(
            "compose file",
            str(file),
            "a file that 'docker compose config' accepts",
            f"correct what it says: {_complaint(done.stderr)}",
        )
    try:
        parsed: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        require_compose()
        raise UserInputError(
            "compose plug-in", "one whose 'config' writes no JSON", "version 2 or later", "update it"
        ) from None
    return parsed


def digest_of(config: Mapping[str, Any]) -> str:
    """SHA-256 over the services as ``read_config`` has them, without what differs from machine to machine or from one version of
    compose to the next: builds, places on the host, and what is empty.
    """

    def body(service: Mapping[str, Any]) -> dict[str, Any]:
        volumes = [[volume.get("type"), volume.get("target")] for volume in service.get("volumes") or ()]
        return {**{k: v for k, v in service.items() if v and k not in ("build", "volumes")}, "volumes": volumes}

    services = {name: body(service or {}) for name, service in (config.get("services") or {}).items()}
    return hashlib.sha256(json.dumps(services, sort_keys=True).encode()).hexdigest()


def _complaint(said: str) -> str:
    """What compose refuses, in one line and without its warnings."""
    lines = [line for line in said.splitlines() if line.strip() and "level=warning" not in line]
    return " ".join(" ".join(lines).split())[-400:].rstrip(".") or "nothing"


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a command of a session of its own with its children: the docker client runs compose as a child, and leaves it behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class _Bounded(DockerCompose):
    """Its commands go through ``run``: its own have no time-out and get the terminal's Ctrl-C."""

    run: Callable[[Sequence[str]], object]

    def _run_command(self, cmd: Any, context: str | None = None) -> Any:  # noqa: ARG002
        return self.run(cmd)


class ComposeProject:
    """One project of one run. ``files``: the topology and the generated override, in this order."""

    def __init__(self, name: str, files: Sequence[Path], environment: Mapping[str, str]) -> None:
        self.name = name
        self.files = [str(f.resolve()) for f in files]
        self.environment = {**environment, "COMPOSE_PROJECT_NAME": name}
        self._compose = _Bounded(context=str(files[0].resolve().parent), compose_file_name=self.files)
        self._compose.run = lambda command: self._bounded(command, "up", within=UP_LIMIT)

    def _run(self, *arguments: str, within: float) -> str:
        command = ["docker", "compose", *(part for f in self.files for part in ("-f", f)), *arguments]
        return self._bounded(command, " ".join(arguments), within=within)

    def _bounded(self, command: Sequence[str], what: str, *, within: float) -> str:
        """Its standard output. Late or interrupted, the command is killed with its plug-in, which would go on creating."""
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **self.environment},
            start_new_session=True,  # Ctrl-C is for pytest, which then takes down what there is
        ) as process:
            try:
                out, said = process.communicate(timeout=within)
            except subprocess.TimeoutExpired:
                _end(process)
                raise StackNotUp(f"docker compose {what} did not end within {within:.0f} s") from None
            except BaseException:
                _end(process)
                raise
        if process.returncode != 0:
            raise StackNotUp(f"docker compose {what} failed: {said.strip()[-800:]}")
        return out

    def create(self) -> None:
        """Make networks and containers without starting any: files are copied in before the first process runs."""
        self._run("create", "--quiet-pull", "--pull", "never", within=60)

    def start(self, *services: str) -> None:
        """These services, or all of them; StackNotUp when compose has not done it within three minutes."""
        self._compose.services = list(services)
        self._compose.pull = False
        self._compose.wait = False
        self._compose.start()

    def down(self) -> None:
        """Remove containers, networks and volumes of the project, whatever state each is in; a second call finds nothing.

        A container that isn't running can't be killed, and ``compose kill`` then fails as a whole: its failure says nothing.
        An interrupt is heeded when all is removed; a second one at once.
        """
        try:
            self._remove()
        except KeyboardInterrupt:
            self._remove()
            raise

    def _remove(self) -> None:
        with contextlib.suppress(StackNotUp):
            self._run("kill", within=30)
        self._run("down", "-v", "-t", "0", "--remove-orphans", within=90)
