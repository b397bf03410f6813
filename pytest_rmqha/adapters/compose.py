"""The compose project of a run: brought up and down through testcontainers' ``DockerCompose``.

What DockerCompose lacks (a project name, time-outs, clean-up of dead containers and volumes) is set around it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testcontainers.compose import DockerCompose

from pytest_rmqha.adapters.reachable import require_client, require_compose
from pytest_rmqha.errors import StackNotUp, UserInputError

LIMIT = 30.0


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


def _complaint(said: str) -> str:
    """What compose refuses, in one line and without its warnings."""
    lines = [line for line in said.splitlines() if line.strip() and "level=warning" not in line]
    return " ".join(" ".join(lines).split())[-400:].rstrip(".") or "nothing"


class ComposeProject:
    """One project of one run. ``files``: the topology and the generated override, in this order."""

    def __init__(self, name: str, files: Sequence[Path], environment: Mapping[str, str]) -> None:
        self.name = name
        self.files = [str(f.resolve()) for f in files]
        self.environment = {**environment, "COMPOSE_PROJECT_NAME": name}
        self._compose = DockerCompose(context=str(files[0].resolve().parent), compose_file_name=self.files)

    def _run(self, *arguments: str, within: float) -> str:
        command = ["docker", "compose", *(part for f in self.files for part in ("-f", f)), *arguments]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=within,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C is for pytest, which then takes down what there is
            )
        except subprocess.TimeoutExpired:
            raise StackNotUp(f"docker compose {arguments[0]} did not end within {within:.0f} s") from None
        if done.returncode != 0:
            raise StackNotUp(f"docker compose {' '.join(arguments)} failed: {done.stderr.strip()[-800:]}")
        return done.stdout

    def create(self) -> None:
        """Make networks and containers without starting any: files are copied in before the first process runs."""
        self._run("create", "--quiet-pull", "--pull", "never", within=60)

    def start(self, *services: str) -> None:
        before = {key: os.environ.get(key) for key in self.environment}
        os.environ.update(self.environment)
        try:
            self._compose.services = list(services)
            self._compose.pull = False
            self._compose.wait = False
            self._compose.start()
        except subprocess.CalledProcessError as error:
            said = (
                (error.stderr or b"").decode(errors="replace") if isinstance(error.stderr, bytes) else str(error.stderr)
            )
            raise StackNotUp(f"docker compose up failed: {said.strip()[-800:]}") from error
        finally:
            for key, value in before.items():
                os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, value)

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
