"""What can be seen of a stack while nobody does it any harm: queues, ways in, doors. One lease, no fault."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plays.theirs import Queue, their_queues
from pytest_rmqha.config.listens import MANAGEMENT, listens
from pytest_rmqha.errors import BudgetSpent, ToolFailed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds

CONNECTIONS = 12
SERVED_WITHIN = seconds(10)
AMQP = 5672
USUAL_PAGES = ("/haproxy?stats", "/haproxy-stats", "/stats", "/")
GUEST_BY_AMQP = """
import json, sys
from rmqha_client.patience import opened
try:
    opened({"host": sys.argv[1], "port": 5672, "user": "guest", "password": "guest", "vhost": "/"}, "knock")
    print("in")
except Exception as error:
    print("out" if "10.30" in str(error) else "in" if "10.41" in str(error) else "unknown", error)
"""
KNOCK = """
import base64, http.client, json, ssl, sys, urllib.error, urllib.request
unverified = ssl.create_default_context()
unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
deaf = set()
for url, user in json.loads(sys.argv[1]):
    door = url.split("/")[0], url.split("/")[2]
    if door in deaf:
        continue
    request = urllib.request.Request(url)
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    code, body = 0, ""
    try:
        with urllib.request.urlopen(request, timeout=2, context=unverified) as answer:
            code, body = answer.status, answer.read(65536).decode(errors="replace")
    except urllib.error.HTTPError as error:
        code = error.code
    except (OSError, ValueError, http.client.HTTPException) as error:
        # Who answers one path late or not at all may answer the next one: only where nobody listens, or nobody speaks
        # TLS, is there nothing more to knock at.
        if isinstance(getattr(error, "reason", error), (ConnectionRefusedError, ssl.SSLError)):
            deaf.add(door)
    print(json.dumps([url, user, code, "Statistics Report" in body or "pxname" in body]))
"""


@dataclass(frozen=True)
class Peace:
    """``served``: connections through the VIP that were opened, of ``CONNECTIONS``; ``direct``: one past the balancers was.

    ``by_broker``: how many of them each broker has. ``open_doors``: sentences. ``knocked``: doors that gave any answer. ``guest_by_amqp``:
    in, out, or unknown when the broker did not say. ``unread``: lines of haproxy.cfg whose port can't be told.
    """

    queues: tuple[Queue, ...]
    brokers: int
    served: int
    direct: bool
    by_broker: Mapping[str, int]
    open_doors: tuple[str, ...]
    knocked: int
    guest_by_amqp: str
    unread: tuple[str, ...]


def nobody_does_any_harm(stage: Stage) -> Peace:
    workload = stage.workload()
    workload.prepare()
    served = _served(workload.wire, {f"fan.{number}": None for number in range(CONNECTIONS)})
    direct = served > 0 or _served(workload.wire, {"direct": stage.cluster.nodes[0].address}) > 0
    by_broker = _by_broker(stage, served)
    workload.wire.ask("stop", role="*", within=30)
    files = (file for member in stage.stack.config_files.values() for file in member)
    unread = listens(files).unread
    return Peace(
        their_queues(stage.cluster), len(stage.cluster.nodes), served, direct, by_broker, *_doors(stage), unread
    )


def _served(wire: Any, roles: Mapping[str, str | None]) -> int:
    """How many idle clients, each through its host (None: the VIP), are connected in time."""
    for role, host in roles.items():
        wire.ask("idle", role=role, **({"host": host} if host else {}))

    def connected() -> int:
        known = wire.ask("progress", within=10)["roles"]
        return sum(bool(known[role]["connected"]) for role in roles)

    try:
        return await_match(connected, lambda n: n == len(roles), what="idle clients connected", within=SERVED_WITHIN)
    except BudgetSpent:
        return connected()


def _by_broker(stage: Stage, served: int) -> Mapping[str, int]:
    """A connection is in the API a moment after it is open."""

    def ask() -> Counter[str]:
        return Counter(node for name, node in stage.cluster.clients().items() if name.startswith("fan."))

    try:
        return await_match(
            ask,
            lambda found: found.total() >= served,
            what=f"{served} connections in the API",
            within=seconds(8),
            ignore=(ToolFailed,),
        )
    except BudgetSpent:
        return ask()


def _doors(stage: Stage) -> tuple[tuple[str, ...], int, str]:
    containers, vip = stage.cluster.nodes[0].containers, stage.vip.address
    asked = [*_pages(stage, vip), (f"http://{vip}:{MANAGEMENT}/api/whoami", "guest:guest")]
    asked.append((f"http://{vip}:{MANAGEMENT}/api/overview", ""))
    patience = 20 + 2.0 * len(asked)  # as if none of them answered
    told = containers.must("rmqha-client", "python3", "-c", KNOCK, json.dumps(asked), within=patience)
    answers = [json.loads(line) for line in told.splitlines()]
    found = [_sentence(*answer) for answer in answers]
    guest = containers.must("rmqha-client", "python3", "-c", GUEST_BY_AMQP, vip).partition(" ")[0].strip()
    if guest == "in":
        found.append(f"guest logs in with its default password at {vip}:{AMQP}")
    knocked = sum(code > 0 for _, _, code, _ in answers) + (guest != "unknown")
    return tuple(dict.fromkeys(sentence for sentence in found if sentence)), knocked, guest


def _sentence(url: str, user: str, code: int, is_statistics: bool) -> str:
    if code == 200 and is_statistics and not user:
        return f"the statistics page at {url} is open to all"
    if code == 200 and "/api/" in url:
        return f"guest logs in with its default password at {url}" if user else f"{url} is open to all"
    return ""


def _pages(stage: Stage, vip: str) -> Iterable[tuple[str, str]]:
    """Every port that a haproxy.cfg listens on but AMQP's, in the clear and by TLS, with the usual paths and those that the file names."""
    files: Mapping[str, Iterable[Any]] = stage.stack.config_files
    text = "\n".join(
        line.split("#")[0] for member in files.values() for f in member if f.name == "haproxy.cfg" for line in f.lines
    )
    ports = listens(file for member in files.values() for file in member).ports - {AMQP}
    paths = dict.fromkeys((*re.findall(r"^\s*stats\s+uri\s+(\S+)", text, re.MULTILINE), *USUAL_PAGES))
    schemes = ("http", "https")  # a page may be behind TLS; whose certificate it is does not matter here
    return [(f"{scheme}://{vip}:{port}{path}", "") for port in sorted(ports) for scheme in schemes for path in paths]
