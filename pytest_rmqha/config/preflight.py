"""What can be said of configuration files before anything starts: each program's own words, and what no program checks.

Help, not a verdict: ``haproxy -c`` accepted 26 of 27 files that break a stack. Only what a program itself refuses to start
with is an error; everything else is a warning, and promises alone colour the verdict. Pure: the checkers are run by
``adapters.preflight``, their output is read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_rmqha.config.folder import ConfigFile, paths_wanted
from pytest_rmqha.config.origin import (
    Files,
    conf_values,
    definitions_of,
    idle_limits,
    loaded_definitions,
    named,
    vrrp_of,
)
from pytest_rmqha.errors import UserInputError

ERROR, WARNING, UNCHECKED = "error", "warning", "not checked"
MOST = 20

DEFINITIONS = "rabbit_definitions.erl"
HEARTBEATS = "rabbitmq.com/docs/heartbeats"
KEEPALIVED = "keepalived.conf(5)"
NEEDED: Mapping[str, tuple[str, ...]] = {
    "users": ("name",),
    "vhosts": ("name",),
    "permissions": ("user", "vhost", "configure", "write", "read"),
    "policies": ("vhost", "name", "pattern", "definition"),
    "queues": ("vhost", "name", "durable", "auto_delete"),
    "exchanges": ("vhost", "name", "type", "durable", "auto_delete"),
    "bindings": ("vhost", "source", "destination", "destination_type", "routing_key"),
}
AGREED: Mapping[str, str] = {"virtual_router_id": "", "advert_int": "1", "auth_pass": ""}
"""What keepalived instances of one VIP have to have alike, and what it is when it isn't said."""

FILES_BESIDE = 100
"""Open files that haproxy needs beside its connections: listeners, checks, logs, pipes (38 seen with three listeners)."""

_MAXCONN = re.compile(r"\s*maxconn\s+(\d+)")
_RUNS = re.compile(r"\s*(?:script|notify\w*|misc_path)\s")
_HAPROXY = re.compile(r"\[(ALERT|WARNING)\][^:]*?\(\d+\) : (?:config : )?(.*)")
_HAPROXY_PLACE = re.compile(r"(?:parsing )?\[(/[^\]]*?):(\d+)\]\s*:?\s*")
_KEEPALIVED_PLACE = re.compile(r"\((?:(/.*?): )?Line (\d+)\) (.*)")
_SCRIPT_PLACE = re.compile(r"(?:\w+: )?(/[^:]+): (?:line )?(\d+): (.*)")
_CANT_RUN = re.compile(r"Non-existent interface specified in configuration")
_AFTER_LINE = re.compile(r"Syntax error in (\S+) after line (\d+)")
_SUM_UPS = re.compile(r"(Fatal errors found in configuration|Error\(s\) found in configuration file)\b")


@dataclass(frozen=True)
class Finding:
    """``file`` as the user knows it, ``line`` from 1 or 0 for none; ``source``: who says so, a program or a document."""

    file: str
    line: int
    severity: str
    text: str
    source: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.severity}: {self.text}" + (f" [{self.source}]" if self.source else "")


def about(file: ConfigFile, line: int, text: str, source: str, severity: str = WARNING) -> Finding:
    return Finding(str(file.origin), line, severity, text, source)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == ERROR]


def lines(findings: Sequence[Finding], most: int = MOST) -> list[str]:
    """Errors first, then what could not be checked; each once, with a bound."""
    order = (ERROR, UNCHECKED, WARNING)
    shown = [str(f) for f in sorted(dict.fromkeys(findings), key=lambda f: (order.index(f.severity), f.file, f.line))]
    return shown[:most] + ([f"and {len(shown) - most} more"] if len(shown) > most else [])


def refuse(findings: Sequence[Finding]) -> None:
    """UserInputError with all findings, if a program refuses its configuration."""
    if wrong := errors(findings):
        raise UserInputError(
            "configuration",
            f"{len(wrong)} {'error' if len(wrong) == 1 else 'errors'} before anything was started:\n  "
            + "\n  ".join(lines(findings, most=200))
            + "\n",
            "files that their own programs accept",
            "correct them; 'rmqha config check' repeats this alone",
        )


def haproxy_said(code: int, said: str) -> list[Finding]:
    """``haproxy -c``: an ALERT is an error, a WARNING is none; 0 and 2 (nothing to serve) may come without either."""
    found = []
    for line in said.splitlines():
        told = _HAPROXY.search(line)
        if told and not _SUM_UPS.match(told[2]):
            place = _HAPROXY_PLACE.search(told[2])
            text = (_HAPROXY_PLACE.sub("", told[2], count=1) if place else told[2]).strip()
            file, number = (place[1], int(place[2])) if place else ("/etc/haproxy/haproxy.cfg", 0)
            found.append(Finding(file, number, ERROR if told[1] == "ALERT" else WARNING, text, "haproxy -c"))
    if code != 0 and not errors(found):
        last = said.strip().splitlines()[-1:] or ["it said nothing"]
        found.append(Finding("/etc/haproxy/haproxy.cfg", 0, ERROR, f"ended with {code}: {last[0]}", "haproxy -c"))
    return found


def keepalived_said(code: int, said: str, version: str) -> list[Finding]:
    """``keepalived -t``: an error is what it says it can't run with; with everything else it starts, and goes wrong later.

    "Can't run", "runs with errors" and "script security" are 3, 4 and 5 up to 2.2.4, and 4, 5 and 6 since 2.2.5
    (keepalived's lib/scheduler.h), so its version has to be known; where it isn't, 4 is taken for a warning. The code is
    the mildest of what it found (lib/parser.c), and 2.1.5 was seen to end with 0 after all of it: so what it says counts
    whatever the code, and a sentence that it can't run after is known by its words.
    """
    known = re.search(r"v(\d+)\.(\d+)\.(\d+)", version)
    moved = known is not None and tuple(int(n) for n in known.groups()) >= (2, 2, 5)
    severity = WARNING if code in ((0, 5, 6) if moved else (0, 4, 5)) else ERROR
    found = []
    for line in filter(None, map(str.strip, said.splitlines())):
        told = _KEEPALIVED_PLACE.match(line)
        file, number, text = (told[1], int(told[2]), told[3]) if told else (None, 0, line)
        its = ERROR if _CANT_RUN.match(text) else severity
        text = text.removeprefix("WARNING - ")
        found.append(Finding(file or "/etc/keepalived/keepalived.conf", number, its, text, "keepalived -t"))
    if found or code == 0:
        return found
    return [Finding("/etc/keepalived/keepalived.conf", 0, severity, f"ended with {code}", "keepalived -t")]


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
        f"maxconn {maxconn} needs {2 * maxconn + FILES_BESIDE} open files, and this engine gives a container {most}: raise its own "
        "limit (LimitNOFILE of docker.service), or try the stack with a smaller maxconn"
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


def broker_said(rows: Iterable[Sequence[str]], files: Files) -> list[Finding]:
    """Rows of severity, file, line (0: not known) and text, as the broker's check prints them.

    cuttlefish names the key that it refuses but not its line: that is looked up in the file.
    """
    found = []
    for severity, file, number, text in (row for row in rows if len(row) == 4):
        if syntax := _AFTER_LINE.search(text):
            file, number = syntax[1], syntax[2]
        at = int(number) if number.isdigit() else 0
        found.append(Finding(file, at or _line_of_key(text, file, files), severity, text, "the broker's own check"))
    return found


def _line_of_key(text: str, target: str, files: Files) -> int:
    words, quoted = set(re.findall(r"[\w.$-]+", text)), set(re.findall(r'"([^"]+)"', text))
    for file in (f for f in files if f.target == target):
        for number, line in enumerate(file.lines, 1):
            key, _, value = (part.strip() for part in line.partition("="))
            if key in words or value in quoted:
                return number
    return 0


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
    return list({(m[1], m[2]): Finding(m[1], int(m[2]), WARNING, m[3], "sh -n") for m in reversed([*places])}.values())


def with_carriage_returns(files: Files) -> list[Finding]:
    """Scripts whose interpreter does not exist, for the name of it ends with a carriage return."""
    text = "the first line ends with a carriage return, so there is no such interpreter"
    scripts = (file for file in files if file.content.startswith(b"#!"))
    return [about(f, 1, text, "execve(2)") for f in scripts if f.content.split(b"\n", 1)[0].endswith(b"\r")]


def definitions_said(files: Files) -> list[Finding]:
    """What keeps a broker from importing the definitions that its rabbitmq.conf names."""
    file = loaded_definitions(files)
    return [] if file is None else importable(file)


def topology_said(path: Path | None) -> list[Finding]:
    """The same of the ``topology.json`` that is imported once the cluster has formed."""
    if path is None:
        return []
    try:
        content = path.read_bytes()
    except OSError as error:
        return [Finding(str(path), 0, ERROR, f"can't be read: {error.strerror}", "the file system")]
    return importable(ConfigFile(path.name, path, "", content, 0o644))


def importable(file: ConfigFile) -> list[Finding]:
    """What keeps definitions from being imported; a key that lacks is a warning.

    A broker takes a key that isn't there as ``undefined``; what that leads to depends on the key (rabbit_definitions.erl).
    """
    try:
        parsed = json.loads(file.content)
    except json.JSONDecodeError as error:
        return [about(file, error.lineno, f"no JSON: {error.msg} (column {error.colno})", "JSON", ERROR)]
    except UnicodeDecodeError as error:
        return [about(file, 0, f"no JSON: {error.reason} at byte {error.start}", "JSON", ERROR)]
    if not isinstance(parsed, dict):
        return [about(file, 0, "a JSON object was expected at the top", DEFINITIONS, ERROR)]
    found = []
    for section, needed in NEEDED.items():
        entries = parsed.get(section, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            found.append(about(file, 0, f"{section}: a list of objects was expected", DEFINITIONS, ERROR))
            continue
        for entry in entries:
            if lacking := [key for key in needed if key not in entry]:
                name = entry.get("name", entry.get("user", "one of them"))
                found.append(about(file, 0, f"{section}: {name}: without {', '.join(lacking)}", DEFINITIONS))
    return found


def policies_said(files: Files, line: str) -> list[Finding]:
    """Policies that reach no queue of the same definitions, and keys that 4.0 removed together with mirroring."""
    file = loaded_definitions(files)
    if file is None:
        return []
    body = definitions_of(file)
    queues = [(str(q.get("vhost")), str(q.get("name"))) for q in body.get("queues", [])]
    found: list[Finding] = []
    for policy in body.get("policies", []):
        name, vhost, pattern = (str(policy.get(key, "")) for key in ("name", "vhost", "pattern"))
        definition = policy.get("definition")
        gone = sorted(key for key in definition if key.startswith("ha-")) if isinstance(definition, dict) else []
        if gone and major(line) >= 4:
            text = f"policy {name}: {', '.join(gone)} were removed in 4.0: its classic queues have one copy"
            found.append(about(file, 0, text, "RabbitMQ 4.0 release notes"))
        if not queues or policy.get("apply-to") == "exchanges":
            continue
        try:
            reached = [where for where, queue in queues if re.search(pattern, queue)]
        except re.error:
            continue
        if vhost not in reached:
            other = f"; in vhost {', '.join(dict.fromkeys(reached))} it would match" if reached else ""
            text = f"policy {name}: {pattern} matches none of the queues of vhost {vhost} here{other}"
            found.append(about(file, 0, text, "rabbitmq.com/docs/parameters"))
    return found


def major(line: str) -> int:
    return int(line.partition(".")[0])


def heartbeats_said(broker: Files, balancer: Files, line: str) -> list[Finding]:
    """The heartbeat against haproxy's time-outs of an idle connection, and RAM nodes on lines that lost them."""
    found = []
    conf, haproxy = named(broker, "rabbitmq.conf"), named(balancer, "haproxy.cfg")
    values = conf_values(conf) if conf else {}
    at, text = values.get("heartbeat", (0, "60"))
    heartbeat = int(text) if text.isdigit() else None
    if conf and heartbeat == 0:
        found.append(about(conf, at, "heartbeat 0: a dead connection is never noticed", HEARTBEATS))
    if haproxy and heartbeat:
        for number, which, limit in idle_limits(haproxy):
            if limit < 2 * heartbeat:
                text = f"timeout {which} of {limit:g} s against a heartbeat of {heartbeat} s: under two of them"
                found.append(about(haproxy, number, f"{text}, idle clients are cut when one is late", HEARTBEATS))
    if conf and major(line) >= 4 and values.get("cluster_formation.node_type", (0, ""))[1] == "ram":
        at = values["cluster_formation.node_type"][0]
        found.append(about(conf, at, "RAM nodes are deprecated, and Khepri has none", "rabbitmq.com/docs/clustering"))
    return found


def vrrp_said(balancers: Mapping[str, Files], addresses: Mapping[str, str]) -> list[Finding]:
    """What two balancers have to agree on for the same VIP; ``addresses``: balancer -> its own address (keepalived.conf(5))."""
    found: list[Finding] = []
    read = {name: vrrp for name, files in balancers.items() if (vrrp := vrrp_of(files)) is not None}
    for name, vrrp in read.items():
        if vrrp.security and not vrrp.script_user:
            text = "enable_script_security without script_user: scripts run as keepalived_script, or not at all"
            found.append(about(vrrp.file, vrrp.security, text, KEEPALIVED))
        for other, theirs in read.items():
            for mine, its in ((m, i) for m in vrrp.instances for i in theirs.instances if m.vips & i.vips):
                if name < other:
                    for key, default in AGREED.items():
                        (at, a), (_, b) = mine.values.get(key, (0, default)), its.values.get(key, (0, default))
                        if a[:8] != b[:8] if key == "auth_pass" else a != b:
                            shown = "differs" if key == "auth_pass" else f"{a} here, {b} on {other}"
                            text = f"{key} {shown} (instances {mine.name}, {its.name}): both will hold the VIP"
                            found.append(about(vrrp.file, at, text, KEEPALIVED))
                if name != other and (mine.peers or its.peers) and addresses.get(other) not in mine.peers:
                    text = f"unicast_peer of {mine.name} lacks {addresses.get(other)} ({other}): not heard there, the VIP is held twice"
                    found.append(about(vrrp.file, 0, text, KEEPALIVED))
    return found


def across(
    brokers: Mapping[str, Files], balancers: Mapping[str, Files], addresses: Mapping[str, str], line: str
) -> list[Finding]:
    """All checks that no program makes, each finding once."""
    found = [f for files in brokers.values() for f in (*definitions_said(files), *policies_said(files, line))]
    for files in brokers.values():
        for balancer in balancers.values() or [()]:
            found += heartbeats_said(files, balancer, line)
    return list(dict.fromkeys(found + vrrp_said(balancers, addresses)))
