"""From a broken measure back to the lines that can have caused it, as ``file:line: text``.

A red run measured what clients and operators see; these are the places where one looks first, found by the keys that
govern the measure. They are suspects, not proof: the verdict never depends on them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.config.origin import Files, keepalived_files, loaded_definitions, named
from pytest_rmqha.config.passwords import veiled
from pytest_rmqha.config.sections import Lines, of_amqp

MOST = 4
_VALUE = r'(?:\s*:\s*(?:"[^"]*"|[\w.-]+))?'


@dataclass(frozen=True)
class Rule:
    """A line of ``file`` that matches ``shows`` is suspect; with ``unless`` a file without such a line is suspect itself.

    ``file``: keepalived.conf stands for all that keepalived reads, definitions.json for what the broker loads, whatever its
    name. ``shows`` may be empty, then only the absence counts, and not where the file ``nor`` says it instead. ``why``
    says what the line does to the measure. ``given``: only where such a line is stated, too. ``amqp``: only the sections
    of a haproxy.cfg that serve AMQP count, and its defaults.
    """

    file: str
    shows: str = ""
    why: str = ""
    unless: str = ""
    nor: str = ""
    given: str = ""
    amqp: bool = False


MEASURES: Mapping[str, tuple[Rule, ...]] = {
    "idle client": (
        Rule("haproxy.cfg", r"\s*timeout\s+(client|server|tunnel)\b", "must outlast two heartbeats", amqp=True),
        Rule("rabbitmq.conf", r"\s*heartbeat\s*=", "", r"\s*heartbeat\s*="),
    ),
    "silent client": (
        Rule("rabbitmq.conf", r"\s*heartbeat\s*=", "0 never notices, two to three are waited", r"\s*heartbeat\s*="),
    ),
    "connections served": (
        Rule("haproxy.cfg", r"\s*mode\s+http\b", "AMQP needs mode tcp", amqp=True),
        Rule("haproxy.cfg", r"\s*server\s.*\bsend-proxy", "the broker must expect it", amqp=True),
        Rule("rabbitmq.conf", r"\s*proxy_protocol\s*=\s*true", "every balancer must send it"),
        Rule("haproxy.cfg", r"\s*bind\s+(?!0\.0\.0\.0|\*|:)\S*5672", "must be reached at the VIP on either balancer"),
    ),
    "connections spread": (
        Rule("haproxy.cfg", r"\s*balance\s+(?!roundrobin|leastconn)\w", "puts clients on one broker", amqp=True),
    ),
    "take-over": (
        Rule("keepalived.conf", r"\s*advert_int\s+(?!1\b)\d", "three of them pass before anybody takes over"),
        Rule("keepalived.conf", r"\s*weight\s", "must be larger than the gap between the priorities"),
        Rule("keepalived.conf", "", "no check is tracked", r".*\btrack_script\b"),
        Rule(
            "keepalived.conf",
            "",
            "script security without a script user drops the check",
            r".*\b(script_user|user)\b",
            given=r".*\benable_script_security\b",
        ),
        Rule("*.sh", r".*\b(killall|pkill|pidof|pgrep)\b", "passes on a frozen haproxy, or asks for another program"),
    ),
    "one holder": (
        Rule(
            "keepalived.conf",
            "",
            "after a split clients may keep the wrong one's address",
            r".*\bgarp_master_refresh\b",
        ),
        Rule("keepalived.conf", r"\s*advert_int\s+(?!1\b)\d", "so long until one hears the other and lets go"),
        Rule("keepalived.conf", r"\s*(virtual_router_id|auth_pass|unicast_peer)\b", "must fit on both balancers"),
    ),
    "marked down": (
        Rule(
            "haproxy.cfg",
            r"\s*server\s(?!.*\b(check|track)\b)",
            "nobody looks at it",
            r"\s*default-server\s(.*\s)?check\b",
            amqp=True,
        ),
        Rule(
            "haproxy.cfg",
            "",
            "an L4 check passes on a frozen broker",
            r"\s*(tcp-check\s+expect|http-check|option\s+httpchk)",
            amqp=True,
        ),
        Rule(
            "haproxy.cfg",
            r"(.*\bcheck\s+(.*\s)?|\s*tcp-check\s+connect\s+)port\s+(?!5672\b)",
            "another port than AMQP's is looked at",
            amqp=True,
        ),
        Rule(
            "haproxy.cfg",
            r".*\s(inter|fall|fastinter|downinter)\s",
            "fall times inter and timeout check until DOWN",
            amqp=True,
        ),
        Rule("haproxy.cfg", r"\s*timeout\s+check\b", "so long a frozen broker is waited for, each time", amqp=True),
    ),
    "sessions": (
        Rule(
            "haproxy.cfg",
            "",
            "sessions stay on a broker that is DOWN",
            r".*\bon-marked-down\s+shutdown-sessions\b",
            amqp=True,
        ),
        Rule("haproxy.cfg", r"\s*retries\s+0\b", "a failed connect is not tried elsewhere", amqp=True),
        Rule("haproxy.cfg", "", "a failed connect is not tried elsewhere", r"\s*option\s+redispatch\b", amqp=True),
    ),
    "partition": (
        Rule(
            "rabbitmq.conf",
            r"\s*cluster_partition_handling\b",
            "decides what a cut-off broker does",
            r"\s*cluster_partition_handling\b",
        ),
        Rule("rabbitmq.conf", r"\s*net_ticktime\s*=", "a silent cut is seen after up to 1.25 times that"),
        Rule("advanced.config", r".*\bnet_ticktime\b", "a silent cut is seen after up to 1.25 times that"),
        Rule(
            "rabbitmq.conf",
            "",
            "by default a silent cut is seen after 45 to 75 s",
            r".*\bnet_ticktime\b",
            "advanced.config",
        ),
        Rule(
            "advanced.config",
            r".*\bclassic_queue_shutdown_timeout\b",
            "how long a broker that pauses waits for a mirrored queue that hangs in its synchronisation",
        ),
    ),
    "cold start": (
        Rule(
            "rabbitmq.conf", r"\s*mnesia_table_loading_retry_(limit|timeout)\b", "how long a broker waits for its peers"
        ),
        Rule("rabbitmq-env.conf", r".*\bforce_(boot|load)\b", "boots without its peers: what they had later is lost"),
        Rule("rabbitmq.conf", r"\s*cluster_formation\.", "whom a blank broker looks for"),
    ),
    "loss": (
        Rule(
            "definitions.json",
            r'.*"ha-promote-on-(failure|shutdown)":\s*"always"',
            "a mirror that lacks messages may lead",
        ),
        Rule(
            "rabbitmq.conf", r"\s*cluster_partition_handling\s*=\s*(ignore|autoheal)", "one side's messages are dropped"
        ),
        Rule("rabbitmq-env.conf", r".*\bforce_(boot|load)\b", "boots without its peers: what they had later is lost"),
        Rule("definitions.json", r'.*"ha-(mode|params)"', "decides how many copies there are"),
    ),
    "stall": (
        Rule(
            "haproxy.cfg",
            "",
            "sessions stay on a broker that is DOWN",
            r".*\bon-marked-down\s+shutdown-sessions\b",
            amqp=True,
        ),
        Rule("keepalived.conf", r"\s*advert_int\s+(?!1\b)\d", "three of them pass before anybody takes over"),
        Rule(
            "haproxy.cfg",
            r".*\s(inter|fall|fastinter|downinter)\s",
            "fall times inter and timeout check until DOWN",
            amqp=True,
        ),
        Rule(
            "definitions.json",
            r'.*"ha-promote-on-(failure|shutdown)":\s*"when-synced"',
            "safe, and without a mirror in sync nobody leads",
        ),
    ),
    "return": (
        Rule("keepalived.conf", r"\s*state\s+MASTER", "cancels nopreempt"),
        Rule("keepalived.conf", r"\s*preempt_delay\b", "takes the VIP back that much later: it interrupts, too"),
        Rule("keepalived.conf", "", "takes the VIP back as soon as it is up", r".*\b(nopreempt|preempt_delay)\b"),
    ),
    "replicas": (
        Rule("topology.json", r'.*"x-quorum-initial-group-size"', "decides how many members a quorum queue gets"),
        Rule("definitions.json", r'.*"x-quorum-initial-group-size"', "decides how many members a quorum queue gets"),
        Rule("definitions.json", r'.*"(pattern|apply-to|ha-mode|ha-params)"', "decides who has a mirror"),
    ),
    "synchronisation": (
        Rule("definitions.json", "", "mirrors catch up by hand only", r'.*"ha-sync-mode":\s*"automatic"'),
        Rule("definitions.json", r'.*"ha-sync-mode":\s*"manual"', "mirrors catch up by hand only"),
    ),
    "open doors": (
        Rule("definitions.json", r'.*"name":\s*"guest"', "the default user"),
        Rule("rabbitmq.conf", r"\s*(loopback_users|default_user|default_pass)\b", "lets the default user in from afar"),
        Rule("haproxy.cfg", r"\s*stats\s+uri\b", "asks nobody for a password", r"\s*stats\s+auth\b"),
    ),
}


def suspects(measure: str, members: Iterable[Files], most: int = MOST) -> str:
    """``; see FILE:LINE: TEXT (why) …``, or nothing where no line is suspect. ``members``: the files of each.

    A password in a line is ``***``. KeyError for a measure that has no rules: a spelling mistake of ours.
    """
    known = list(members)
    found = list(dict.fromkeys(text for rule in MEASURES[measure] for files in known for text in _told(rule, files)))
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return "; see " + ", ".join((*found[:most], *more)) if found else ""


def _of(rule: Rule, files: Files) -> Files:
    """A member's files that the rule is about."""
    if rule.file == "keepalived.conf":
        return keepalived_files(files)
    if rule.file == "definitions.json":
        loaded = loaded_definitions(files)
        return [loaded] if loaded else []
    if rule.file.startswith("*"):
        return [file for file in files if file.name.endswith(rule.file[1:])]
    return [file for file in files if file.name == rule.file]


def _live(file: ConfigFile) -> Lines:
    """(number, line) of those that are no comments."""
    return [(n, line) for n, line in enumerate(file.lines, 1) if not line.lstrip().startswith(("#", "%", "!"))]


def _states(pattern: str, lines: Iterable[tuple[int, str]]) -> bool:
    return any(re.match(pattern, line) for _, line in lines)


def _place(file: ConfigFile) -> str:
    return "/".join(file.origin.parts[-2:])


def _told(rule: Rule, files: Files) -> Iterator[str]:
    """What the rule finds in one member's files."""
    lines = {file: of_amqp(_live(file)) if rule.amqp else _live(file) for file in _of(rule, files)}
    everything = [line for of_file in lines.values() for line in of_file]
    if not lines or (rule.given and not _states(rule.given, everything)):
        return
    if rule.nor and (nor := named(files, rule.nor)) is not None and _states(rule.unless, _live(nor)):
        return
    why = f" ({rule.why})" if rule.why else ""
    is_stated = bool(rule.unless) and _states(rule.unless, everything)
    if rule.unless and not is_stated and rule.shows in ("", rule.unless):
        yield f"{_place(next(iter(lines)))}: nothing says {_key(rule.unless)}{'' if rule.shows else why}"
    if rule.shows and not (is_stated and rule.unless != rule.shows):
        for file, of_file in lines.items():
            yield from (f"{_place(file)}:{n}: {text}{why}" for n, line in of_file for text in _excerpts(rule, line))


def _excerpts(rule: Rule, line: str) -> Iterator[str]:
    """The line; of a JSON file, whose lines may be of any length, what matches and its value. Never a password."""
    if not rule.file.endswith(".json"):
        yield from [veiled(line.strip())] if re.match(rule.shows, line) else []
    else:
        yield from (veiled(found[0]) for found in re.finditer(rule.shows.removeprefix(".*") + _VALUE, line))


def _key(pattern: str) -> str:
    """The words of a pattern, for people."""
    return re.sub(r"\\[sb][*+]?|\.\*|[()\\]", " ", pattern).replace("|", " or ").replace("  ", " ").strip(' "=')
