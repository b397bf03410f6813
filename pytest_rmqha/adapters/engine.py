"""The container engine, asked through the docker SDK: everything about a run's containers but bringing them up and down.

Every call names a container of *this* run; containers are found by the label ``rmqha.run`` and nothing else is touched.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker
import docker.errors
import requests
from docker.models.containers import Container

from pytest_rmqha.adapters.bounded import Answer, limit_of, run_in
from pytest_rmqha.errors import ToolFailed

RUN_LABEL = "rmqha.run"


TROUBLE = (docker.errors.DockerException, requests.RequestException)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """What the engine or the way to it refuses is a ToolFailed, so that waits know it."""
    try:
        yield
    except TROUBLE as error:
        raise ToolFailed(f"{what}: {error}") from error


@dataclass(frozen=True)
class FileToPut:
    """One file on its way into a container: absolute path, content, octal mode, numeric owner."""

    path: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


class Engine:
    """Verbs and questions on the containers of one run. ``timeout`` (seconds) bounds each call to the engine."""

    def __init__(self, run: str, timeout: float = 60) -> None:
        self.run = run
        self.client = docker.from_env(timeout=int(timeout))
        self._by_service: dict[str, str] = {}
        self.helper_labels: Mapping[str, str] = {RUN_LABEL: run}

    def container(self, service: str) -> Container:
        """The container of a compose service, dead ones included."""
        if service not in self._by_service:
            found = self.client.containers.list(
                all=True,
                ignore_removed=True,
                filters={"label": [f"{RUN_LABEL}={self.run}", f"com.docker.compose.service={service}"]},
            )
            if len(found) != 1:
                raise ToolFailed(f"expected one container of service {service!r} in run {self.run}, found {len(found)}")
            self._by_service[service] = str(found[0].id)
        try:
            return self.client.containers.get(self._by_service[service])
        except TROUBLE as error:
            raise ToolFailed(f"the container of service {service!r} can't be had: {error}") from error

    def forget(self) -> None:
        """The run's containers were removed: others will have their names."""
        self._by_service.clear()

    def state(self, service: str) -> str:
        """One of docker's words: created, running, paused, restarting, exited, dead."""
        return str(self.container(service).status)

    def pid(self, service: str) -> int:
        return int(self.container(service).attrs["State"]["Pid"])

    def kill(self, service: str, signal: str = "SIGKILL") -> None:
        """Send a signal to the first process. SIGKILL on one that is dead already is no error: the state is what was asked."""
        try:
            self.container(service).kill(signal=signal)
        except TROUBLE as error:
            if "is not running" not in str(error):
                raise ToolFailed(f"kill {service}: {error}") from error

    def stop(self, service: str, grace: float = 30) -> None:
        """SIGTERM, then SIGKILL after ``grace`` seconds."""
        with _told(f"stop {service}"):
            self.container(service).stop(timeout=int(grace))

    def exit_code(self, service: str) -> int:
        """What its first process ended with the last time; 137 after a SIGKILL. 0 while it runs."""
        return int(self.container(service).attrs["State"]["ExitCode"])

    def start(self, service: str) -> None:
        """Request the start; does not wait for anything inside."""
        with _told(f"start {service}"):
            self.container(service).start()

    def pause(self, service: str) -> None:
        with _told(f"pause {service}"):
            self.container(service).pause()

    def unpause(self, service: str) -> None:
        if self.state(service) == "paused":
            with _told(f"unpause {service}"):
                self.container(service).unpause()

    def exec(self, service: str, *command: str, user: str = "", within: float | None = None) -> Answer:
        """Run a command inside; its exit code is in the answer, not an exception.

        ToolFailed when it has not ended ``within`` seconds (60, a broker's own tools 180); it is then killed inside.
        """
        limit = limit_of(command) if within is None else within
        container = self.container(service)
        try:
            return run_in(self.client.api, str(container.id), command, user=user, within=limit)
        except TROUBLE as error:
            raise ToolFailed(f"exec in {service}: {' '.join(command)}: {error}") from error
        except ToolFailed as late:
            raise ToolFailed(f"exec in {service}: {late}") from None

    def must(self, service: str, *command: str, user: str = "", within: float | None = None) -> str:
        """Like ``exec``, but a command that fails raises ToolFailed with what it said."""
        answer = self.exec(service, *command, user=user, within=within)
        if answer.code != 0:
            said = (answer.err or answer.out).strip()[-500:]
            raise ToolFailed(f"{' '.join(command)} in {service} ended with {answer.code}: {said}")
        return answer.out

    def read(self, service: str, path: str) -> bytes:
        """One file out of a container, which need not run; ToolFailed where there is none."""
        with _told(f"{path} of {service}"):
            pieces, _ = self.container(service).get_archive(path)
            content = b"".join(pieces)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            member = next((m for m in archive if m.isfile()), None)
            found = archive.extractfile(member) if member is not None else None
            if found is None:
                raise ToolFailed(f"{path} of {service} is no file")
            return found.read()

    def put(self, service: str, files: list[FileToPut]) -> None:
        """Copy files in, byte for byte; works on a container that never ran and on a remote engine."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for file in files:
                entry = tarfile.TarInfo(file.path.lstrip("/"))
                entry.size, entry.mode, entry.uid, entry.gid = len(file.content), file.mode, file.uid, file.gid
                archive.addfile(entry, io.BytesIO(file.content))
        with _told(f"copy {[f.path for f in files]} into {service}"):
            is_there = self.container(service).put_archive("/", buffer.getvalue())
        if not is_there:
            raise ToolFailed(f"could not copy {[f.path for f in files]} into {service}")

    def logs(self, service: str, tail: int = 5000, since: datetime | None = None) -> str:
        """The last ``tail`` lines, or every one after ``since`` (with a time zone): the engine would cut the tail first."""
        after = since.timestamp() if since is not None else None
        with _told(f"logs of {service}"):
            found: bytes = self.container(service).logs(
                tail=tail if since is None else "all", timestamps=True, since=after
            )
        return found.decode(errors="replace")

    def in_network_of(self, service: str, image: str, script: str) -> Answer:
        """Run a shell script in a short-lived helper that shares the service's network namespace (NET_ADMIN)."""
        what = f"helper in the network of {service}"
        network = f"container:{self.container(service).id}"
        with _told(what):
            helper = self.client.containers.create(
                image,
                entrypoint=["sh", "-ec"],
                command=[script],
                network_mode=network,
                cap_add=["NET_ADMIN", "NET_RAW"],
                labels={**self.helper_labels, "rmqha.role": "helper"},
            )
        try:
            with _told(what):
                helper.start()
                code = int(helper.wait(timeout=20)["StatusCode"])
                out = bytes(helper.logs(stdout=True, stderr=False)).decode(errors="replace")
                err = bytes(helper.logs(stdout=False, stderr=True)).decode(errors="replace")
        finally:
            with _told(what):
                helper.remove(force=True)
        return Answer(code, out, err)

    def remove_helpers(self) -> None:
        """Helpers that an interrupt has left: compose knows nothing of them. What can't be removed is the next sweep's."""
        for role in ("helper", "preflight"):
            only: dict[str, Any] = {"label": [f"{RUN_LABEL}={self.run}", f"rmqha.role={role}"]}
            with contextlib.suppress(*TROUBLE):
                for helper in self.client.containers.list(all=True, ignore_removed=True, filters=only):
                    helper.remove(force=True, v=True)

    def attach(self, service: str) -> Any:
        """The raw socket of the first process's stdin, stdout and stderr (8-byte frame headers, no history)."""
        params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
        with _told(f"attach to {service}"):
            return self.container(service).attach_socket(params=params)

    def image_id(self, tag: str) -> str:
        """What a tag stands for on this engine now."""
        with _told(f"image {tag}"):
            return str(self.client.images.get(tag).id)

    def image_digests(self) -> Mapping[str, str]:
        """service -> image id, of every container of the run."""
        found = self.client.containers.list(all=True, ignore_removed=True, filters={"label": f"{RUN_LABEL}={self.run}"})
        return {str(c.labels.get("com.docker.compose.service", c.name)): str(c.attrs["Image"]) for c in found}

    def services(self) -> tuple[str, ...]:
        found = self.client.containers.list(all=True, ignore_removed=True, filters={"label": f"{RUN_LABEL}={self.run}"})
        return tuple(
            sorted(c.labels["com.docker.compose.service"] for c in found if "com.docker.compose.service" in c.labels)
        )

    def clashing_networks(self, subnet: str) -> tuple[str, ...]:
        """Names of networks on the engine that overlap a subnet: another run's, or somebody else's."""
        wanted = ipaddress.ip_network(subnet)
        clashing = []
        for network in self.client.networks.list():
            for pool in (network.attrs.get("IPAM") or {}).get("Config") or []:
                if pool.get("Subnet") and ipaddress.ip_network(pool["Subnet"]).overlaps(wanted):
                    clashing.append(f"{network.name} ({pool['Subnet']})")
        return tuple(clashing)
