"""What one haproxy says of its servers: the statistics page as CSV (4 ms), for the timeline and for steady state."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from pytest_rmqha.adapters import http
from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.waiting import shortened

IGNORED = ("FRONTEND", "BACKEND")
COLUMNS = ("pxname", "svname", "status")
SERVER = "2"
OWN_PORT, OWN_URI, OWN_FILE = 18888, "/rmqha", "/run/rmqha/statistics.cfg"


def own_page(user: str, password: str) -> str:
    """A haproxy.cfg of ours that is read beside the judged one: what we see depends on no page of theirs.

    Column ``addr`` is empty without ``stats show-legends``.
    """
    return f"""\
defaults
    mode http
    timeout connect 3s
    timeout client 5s
    timeout server 5s

frontend rmqha-statistics
    bind 0.0.0.0:{OWN_PORT}
    stats enable
    stats uri {OWN_URI}
    stats show-legends
    stats auth {user}:{password}
"""


def parse(text: str, column: str = "status") -> Mapping[str, str]:
    """CSV of ``show stat`` -> {"amqp_brokers/rmq1": "UP"}; transitional states (``UP 1/2``) keep their first word.

    ``column`` "check_status" gives how the last health check of each server ended (``* L7OK``: another is under way);
    it is empty without a check. "addr" gives ``address:port``, where the page has legends.

    A page that has no servers is {}; what is not this CSV (or breaks off within a server) is ToolFailed. Column ``type``
    of the page: 0 front end, 1 back end, 2 server, 3 listener (haproxy's management guide, 9.1).
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    states = {}
    try:
        if not {*COLUMNS, column} <= set(rows.fieldnames or ()):
            raise ToolFailed(f"not haproxy's statistics as CSV: {shortened(text.strip(), 120) or 'nothing'!r}")
        for row in rows:
            if row["svname"] in IGNORED or row.get("type", SERVER) != SERVER:
                continue
            if not row["status"]:
                raise ToolFailed(f"haproxy's statistics break off at {row['pxname']}/{row['svname']}")
            states[f"{row['pxname']}/{row['svname']}"] = (row.get(column) or "").removeprefix("* ").split(" ")[0]
    except csv.Error as error:
        raise ToolFailed(f"not haproxy's statistics as CSV ({error}): {shortened(text.strip(), 120)!r}") from error
    return states


@dataclass(frozen=True)
class StatisticsPage:
    """The page of one balancer at its own address. A frozen haproxy does not answer: ToolFailed after ``timeout`` s."""

    host: str
    user: str
    password: str
    port: int = 8888
    uri: str = "/haproxy-stats"
    timeout: float = 1.5

    def states(self) -> Mapping[str, str]:
        return self._column("status")

    def checks(self) -> Mapping[str, str]:
        return self._column("check_status")

    def addresses(self) -> Mapping[str, str]:
        return self._column("addr")

    def _column(self, column: str) -> Mapping[str, str]:
        url = f"http://{self.host}:{self.port}{self.uri};csv"
        try:
            answer = http.ask("GET", url, auth=(self.user, self.password), timeout=self.timeout)
        except requests.RequestException as error:
            raise ToolFailed(f"statistics page of {self.host}: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise ToolFailed(f"statistics page of {self.host}: HTTP {answer.status_code}")
        try:
            return parse(answer.text, column)
        except ToolFailed as error:
            raise ToolFailed(f"statistics page of {self.host}: {error}") from error
