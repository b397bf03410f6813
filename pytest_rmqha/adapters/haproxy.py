"""What one haproxy says of its servers: the statistics page as CSV (4 ms), for the timeline and for steady state."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from pytest_rmqha.errors import ToolFailed

IGNORED = ("FRONTEND", "BACKEND")


def parse(text: str) -> Mapping[str, str]:
    """CSV of ``show stat`` -> {"amqp_brokers/rmq1": "UP"}; transitional states (``UP 1/2``) keep their first word."""
    rows = csv.DictReader(text.lstrip("# ").splitlines())
    return {f"{r['pxname']}/{r['svname']}": r["status"].split(" ")[0] for r in rows if r["svname"] not in IGNORED}


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
        url = f"http://{self.host}:{self.port}{self.uri};csv"
        try:
            answer = requests.get(url, auth=(self.user, self.password), timeout=self.timeout)
        except requests.RequestException as error:
            raise ToolFailed(f"statistics page of {self.host}: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise ToolFailed(f"statistics page of {self.host}: HTTP {answer.status_code}")
        return parse(answer.text)
