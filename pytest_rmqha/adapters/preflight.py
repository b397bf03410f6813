"""Runs each program's own checker on each member's files, in short-lived containers of the run's own images.

No network, nothing of the stack is started. Members with the same files are looked at once. The files stand at the paths
where they will stand, beside stand-ins for the secrets of a run, so that includes and environment resolve.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import docker
import requests

from pytest_rmqha.adapters import own_container
from pytest_rmqha.adapters.engine import RUN_LABEL, TROUBLE, FileToPut
from pytest_rmqha.adapters.preflight_script import CHECKS, MARK, script, sections, to_put
from pytest_rmqha.config.checkers import broker_said, haproxy_said, keepalived_said
from pytest_rmqha.config.container_looks import files_said, missing_paths, script_said, with_carriage_returns
from pytest_rmqha.config.findings import UNCHECKED, Finding
from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.config.origin import Files
from pytest_rmqha.config.preflight import across
from pytest_rmqha.topology import Topology

LIMIT = 60.0


def owner_labels(run: str) -> dict[str, str]:
    """The labels by which ``leftovers`` finds what a dead run left."""
    return {
        RUN_LABEL: run,
        **own_container.owner_labels(),
        "rmqha.started": f"{time.time():.0f}",
    }


def preflight(
    topology: Topology,
    images: Mapping[str, str],
    files: Mapping[str, Files],
    labels: Mapping[str, str],
    line: str,
    client: Any = None,
) -> list[Finding]:
    """Every finding about every member's files, one after the other. ``files``: service -> its files; ``images``: role -> tag.

    Never raises for what the engine or a checker fails at: that is a finding of its own, "not checked".
    """
    client = client or docker.from_env(timeout=60)
    hosts = "".join(f"{m.address} {m.hostname} {m.service}\n" for m in topology.members)
    found: list[Finding] = []
    seen: set[object] = set()
    for role, members in (("broker", topology.brokers), ("balancer", topology.balancers)):
        for member in members:
            its = files[member.service]
            nofile = getattr(member, "nofile", None)
            same = (role, nofile, tuple(sorted((f.target, f.mode, f.sha256, str(f.origin)) for f in its)))
            if same not in seen:
                seen.add(same)
                address = f"{member.address}/{topology.subnet.partition('/')[2]}"
                environment = {"ADDRESS": address, "MEMBERS": hosts}
                try:
                    put = to_put(role, its)
                    output = _said_in(client, images[role], script(role, its), put, environment, labels, nofile)
                except TROUBLE as error:
                    found.append(Finding(member.service, 0, UNCHECKED, f"the engine: {str(error)[:300]}", "docker"))
                else:
                    found += read(role, member.service, output, its)
    brokers = {m.service: files[m.service] for m in topology.brokers}
    balancers = {m.service: files[m.service] for m in topology.balancers}
    return [
        *dict.fromkeys(found),
        *across(brokers, balancers, {m.service: m.address for m in topology.balancers}, line),
    ]


def read(role: str, member: str, output: str, files: Files) -> list[Finding]:
    """The findings in what the script said; files in the container become the files that the user has."""
    parts, found = sections(output), list[Finding]()
    for name in CHECKS[role]:
        code, said = parts.get(name, (None, ""))
        rows = [line.split("\t")[1:] for line in said.splitlines() if line.startswith(f"{MARK}\t")]
        if code is None or code >= 126 or (name == "broker" and code != 0):
            last = said.strip().splitlines()[-1:] or ["it said nothing"]
            how = "did not end" if code is None else f"ended with {code}"
            found.append(Finding(member, 0, UNCHECKED, f"the check {name} {how}: {last[0][:200]}", name))
        if code is None or name == "paths":
            found += missing_paths(files, {row[1]: row[0] for row in rows if len(row) == 2})
        elif name == "scripts":
            found += script_said(said) + with_carriage_returns(files)
        elif name == "files":
            found += files_said(said.strip(), files)
        elif name == "broker":
            found += broker_said(rows, files)
        elif code < 126:
            version = parts.get("version", (0, ""))[1]
            found += haproxy_said(code, said) if name == "haproxy" else keepalived_said(code, said, version)
    places = {f.target: f for f in files}
    return [_at_home(finding, places) for finding in found]


def _at_home(finding: Finding, places: Mapping[str, ConfigFile]) -> Finding:
    if finding.file not in places:
        return finding
    return Finding(str(places[finding.file].origin), finding.line, finding.severity, finding.text, finding.source)


def _said_in(
    client: Any,
    image: str,
    text: str,
    files: Sequence[FileToPut],
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    nofile: tuple[int, int] | None,
) -> str:
    """What a script says in a container without a network, with the member's limit of open files; it is removed afterwards."""
    limits = [docker.types.Ulimit(name="nofile", soft=nofile[0], hard=nofile[1])] if nofile else []
    container = client.containers.create(
        image,
        entrypoint=["sh", "-c"],
        command=[text],
        user="root",
        network_mode="none",
        cap_add=["NET_ADMIN"],
        init=True,
        ulimits=limits,
        environment=dict(environment),
        labels={**labels, "rmqha.role": "preflight"},
    )
    try:
        container.put_archive("/", _archive(files))
        container.start()
        with contextlib.suppress(requests.exceptions.RequestException):
            container.wait(timeout=LIMIT)
        return bytes(container.logs()).decode(errors="replace")
    finally:
        container.remove(force=True, v=True)


def _archive(files: Sequence[FileToPut]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(file.content), file.mode, int(time.time())
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()
