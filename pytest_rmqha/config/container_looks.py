"""What a look into the members' images tells of the files: paths, scripts, and how many files may be open there. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_rmqha.config.findings import ERROR, UNCHECKED, WARNING, Finding, about
from pytest_rmqha.config.folder import ConfigFile, paths_wanted
from pytest_rmqha.config.origin import Files, named

FILES_BESIDE = 100
"""Open files that haproxy needs beside its connections: listeners, checks, logs, pipes (38 seen with three listeners)."""

_MAXCONN = re.compile(r"\s*maxconn\s+(\d+)")
_RUNS = re.compile(r"\s*(?:script|notify\w*|misc_path)\s")
_NO_SHELL = re.compile(r"\b(bash): (?:command )?not found")
_SCRIPT_PLACE = re.compile(r"(?:\w+: )?(/[^:]+): (?:line )?(\d+): (.*)")


def missing_paths(files: Files, states: Mapping[str, str]) -> list[Finding]:
    """``states``: path -> "absent" or "plain" (there, but not executable), of those that were looked for in the image."""
    found = []
    for file, number, path in paths_wanted(files):
        if states.get(path) == "absent":
            text = f"{path} is named here, but neither the folder nor the image has it"
            found.append(about(file, number, text, "a look into the image"))
        elif states.get(path) == "plain" and _RUNS.match(file.lines[number - 1]):
            text = f"{path} is run here, but it is not executable: keepalived drops it with one line in its log"
            found.append(about(file, number, text, "a look into the image"))
    return found


def script_said(output: str) -> list[Finding]:
    """What ``sh -n`` and ``bash -n`` say of scripts. A program runs a broken one all the same, so it is a warning."""
    places = (match for line in output.splitlines() if (match := _SCRIPT_PLACE.match(line)))
    found = {(m[1], m[2]): Finding(m[1], int(m[2]), WARNING, m[3], "sh -n") for m in reversed([*places])}
    return [*found.values(), *_without_shell(output)]


def _without_shell(output: str) -> list[Finding]:
    shells = dict.fromkeys(_NO_SHELL.findall(output))
    return [Finding("scripts", 0, UNCHECKED, f"the image has no {shell}", "sh -n") for shell in shells]


def with_carriage_returns(files: Files) -> list[Finding]:
    """Scripts whose interpreter does not exist, for the name of it ends with a carriage return."""
    text = "the first line ends with a carriage return, so there is no such interpreter"
    scripts = (file for file in files if file.content.startswith(b"#!"))
    return [about(f, 1, text, "execve(2)") for f in scripts if f.content.split(b"\n", 1)[0].endswith(b"\r")]


def files_said(most: str, files: Files) -> list[Finding]:
    """``most``: open files that a container may have at most (``ulimit -Hn``). haproxy needs two for each of its ``maxconn``.

    It starts on a host, where root raises the limit, and not here: that is no fault of the configuration, so it is said
    before anything starts. Source: haproxy's "Cannot raise FD limit" and compute_ideal_maxconn in src/haproxy.c.
    """
    haproxy = named(files, "haproxy.cfg")
    line, maxconn = _maxconn(haproxy) if haproxy else (0, 0)
    if haproxy is None or not line or not most.isdigit() or 2 * maxconn + FILES_BESIDE <= int(most):
        return []
    text = (
        f"maxconn {maxconn} needs about {2 * maxconn + FILES_BESIDE} open files, and the container may have {most}: state more with "
        "ulimits in the compose file, raise the engine's own limit (LimitNOFILE of docker.service), or try a smaller maxconn"
    )
    return [about(haproxy, line, text, "ulimit -Hn", ERROR)]


def _maxconn(haproxy: ConfigFile) -> tuple[int, int]:
    """(line, value) in the global section; (0, 0) where haproxy chooses it by the limit that it finds."""
    inside = False
    for number, line in enumerate(haproxy.lines, 1):
        if line[:1].strip() and not line.startswith("#"):
            inside = line.startswith("global")
        if inside and (stated := _MAXCONN.match(line)):
            return number, int(stated[1])
    return 0, 0
