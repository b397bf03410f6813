"""Logins at the management behind the VIP: several in a row, because a single one may be luck while one broker is dead."""

from __future__ import annotations

import http.client
import math
from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.config.listens import MANAGEMENT
from pytest_rmqha.errors import BudgetSpent, HarnessError
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds

IN_A_ROW = 4  # the first, and three more: as many as there are brokers, so that each has its turn
LOOKED_FOR = seconds(20)  # longer than any budget that the first of them has
PAGE_WITHIN = seconds(5)


@dataclass(frozen=True)
class Login:
    """``after``: seconds until the first of ``IN_A_ROW`` logins, of which none failed; infinite if there was no such row.

    ``names``: the cluster's, as each of them was told; ``page``: is the page at / the management's? ``why``: what the last
    failed login met, where there was no row.
    """

    after: float
    names: frozenset[str] = frozenset()
    page: bool = False
    why: str = ""

    @property
    def worked(self) -> bool:
        return math.isfinite(self.after)


def logged_in(stage: Stage, since: float) -> Login:
    """Log in through the VIP, each time on a connection of its own, until a row is complete or ``LOOKED_FOR`` is over.

    Never raises for what the stack does not do: a stack may keep its management off the VIP, and only who promises a login
    may judge one.
    """
    row: list[tuple[float, str]] = []
    failed: list[str] = []

    def ask() -> int:
        try:
            name = stage.name_through_the_vip()
            row.append((clock.now() - since, name))
        except (HarnessError, KeyError) as error:
            row.clear()
            failed[:] = [f"{type(error).__name__}: {error}"]
        return len(row)

    try:
        await_match(
            ask,
            lambda length: length >= IN_A_ROW,
            what=f"{IN_A_ROW} logins in a row at the management API through the VIP",
            within=LOOKED_FOR,
            every=0.1,
        )
    except BudgetSpent:
        return Login(math.inf, why=failed[0] if failed else f"only {len(row)} logins in {LOOKED_FOR}")
    return Login(row[0][0], frozenset(name for _, name in row), _page(stage.vip.address))


def _page(address: str) -> bool:
    try:
        return await_match(
            lambda: is_the_managements(address),
            bool,
            what="the management's page through the VIP",
            within=PAGE_WITHIN,
            ignore=(OSError, http.client.HTTPException),
        )
    except BudgetSpent:
        return False


def is_the_managements(address: str, port: int = MANAGEMENT) -> bool:
    """Is what / answers the page of RabbitMQ's management? It needs no login (3.8 to 4.3). OSError if nobody answers."""
    connection = http.client.HTTPConnection(address, port, timeout=3)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.status == 200 and b"rabbitmq" in answer.read(65536).lower()
    finally:
        connection.close()
