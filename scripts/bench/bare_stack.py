"""The same stack brought up by hand: docker, docker compose and the management API, one command after the other.

What it is made of (compose file, override, files of the members, secrets) comes from a ``Stack`` that is never brought up
itself, so that both bring up the same; and both are ready when ``SteadyState`` finds no problem.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import requests

from pytest_rmqha.adapters import bring_up
from pytest_rmqha.adapters.engine import RUN_LABEL, FileToPut
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.config.override import TOXIPROXY_HOST, host_of, proxies_for
from pytest_rmqha.errors import HarnessError

PROXIES, LONGEST, EVERY = "rmqha-toxiproxy", 180.0, 0.1


class Files:
    """Stands where the engine is while the members' files are put together, and keeps them: service -> a tar archive."""

    def __init__(self, passwd: bytes) -> None:
        self.passwd = passwd
        self.archives: dict[str, bytes] = {}

    def read(self, _service: str, path: str) -> bytes:
        assert path == "/etc/passwd", path
        return self.passwd

    def put(self, service: str, files: list[FileToPut]) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for file in files:
                entry = tarfile.TarInfo(file.path.lstrip("/"))
                entry.size, entry.mode, entry.uid, entry.gid = len(file.content), file.mode, file.uid, file.gid
                archive.addfile(entry, io.BytesIO(file.content))
        self.archives[service] = buffer.getvalue()


def files_of(stack: Stack, passwd: bytes) -> dict[str, bytes]:
    """What ``bring_up.copy_files`` would copy, service -> tar archive."""
    files = Files(passwd)

    class Recorded:
        topology, config_files, secrets, engine = stack.topology, stack.config_files, stack.secrets, files

    bring_up.copy_files(cast(Stack, Recorded))
    return files.archives


class BareStack:
    """``up`` is what is timed; ``took`` says where it went. The archives are made before, as somebody's files are there before."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.took: dict[str, float] = {}
        image = stack.images["broker"]
        passwd = self._docker("run", "--rm", *self._label, "--entrypoint", "cat", image, "/etc/passwd")
        self.archives = files_of(stack, passwd.encode())

    @property
    def _label(self) -> tuple[str, str]:
        return "--label", f"{RUN_LABEL}={self.stack.run}"

    def _docker(self, *arguments: str, given: bytes | None = None) -> str:
        environment = {**os.environ, **self.stack.project.environment}
        done = subprocess.run(
            ["docker", *arguments], input=given, capture_output=True, timeout=LONGEST, env=environment
        )
        if done.returncode != 0:
            raise RuntimeError(f"docker {' '.join(arguments)[:200]}: {done.stderr.decode(errors='replace')[-800:]}")
        return done.stdout.decode(errors="replace")

    def _compose(self, *arguments: str) -> None:
        files = [part for file in self.stack.project.files for part in ("-f", file)]
        self._docker("compose", *files, *arguments)

    def _container(self, service: str) -> str:
        """The name that compose gives it; no command is spent on asking."""
        return f"{self.stack.project.name}-{service}-1"

    @contextmanager
    def _timed(self, label: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.took[label] = time.monotonic() - began

    def up(self) -> float:
        """Seconds until the stack is in steady state."""
        began = time.monotonic()
        with self._timed("create containers"):
            self._compose("create", "--quiet-pull", "--pull", "never")
            for service, archive in self.archives.items():
                self._docker("cp", "-", f"{self._container(service)}:/", given=archive)
        if self.stack.link_map:
            with self._timed("link proxies"):
                self._link_proxies()
        with self._timed("start containers"):
            self._compose("up", "-d")
        with self._timed("brokers boot and form the cluster"):
            _until(lambda: all(_open(n.address, port) for n in self.stack.nodes for port in (5672, 15672)))
            first = self._container(self.stack.nodes[0].service)
            self._docker("exec", first, "rabbitmqctl", "eval", bring_up.ADD_ADMIN)
        with self._timed("queues of the configuration"):
            self._queues()
        with self._timed("steady state"):
            _until(lambda: not self.stack.steady.problems())
        return time.monotonic() - began

    def _link_proxies(self) -> None:
        stack = self.stack
        self._compose("up", "-d", PROXIES)
        prefix = stack.topology.subnet.split("/")[1]
        script = "\n".join(f"ip addr add {m.address}/{prefix} dev eth0" for m in stack.link_map)
        inside = ("--network", f"container:{self._container(PROXIES)}", "--cap-add", "NET_ADMIN")
        self._docker(
            "run", "--rm", *self._label, *inside, "--entrypoint", "sh", stack.images["balancer"], "-ec", script
        )
        url = f"http://{host_of(stack.topology, TOXIPROXY_HOST)}:8474/populate"
        body = proxies_for(stack.link_map)
        _until(lambda: requests.post(url, json=body, timeout=2).status_code == 201)

    def _queues(self) -> None:
        nodes = self.stack.nodes
        everybody = {node.name for node in nodes}
        _until(lambda: all(node.running_peers() == everybody for node in nodes))
        _until(lambda: all(_runs_everywhere(vhost, everybody) for vhost in nodes[0].api.get("vhosts")))
        files = [folder / "topology.json" for folder in self.stack.folders if (folder / "topology.json").is_file()]
        if files:
            nodes[0].api.ask("POST", "definitions", json.loads(files[-1].read_text()), timeout=20)

    def down(self) -> None:
        self.stack.down()


def _runs_everywhere(vhost: dict[str, Any], everybody: set[str]) -> bool:
    return all(vhost.get("cluster_state", {}).get(name) == "running" for name in everybody)


def _open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def _until(true: Callable[[], bool]) -> None:
    """As a script's loop has it: again every 0.1 s; what can't be asked yet is not true yet."""
    end = time.monotonic() + LONGEST
    while True:
        try:
            if true():
                return
        except (HarnessError, KeyError, requests.RequestException):
            pass
        if time.monotonic() > end:
            raise RuntimeError(f"not ready after {LONGEST:.0f} s")
        time.sleep(EVERY)
