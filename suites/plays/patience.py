"""Idle and silent clients that wait beside everything else from the session's first scenario to its last."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from pytest_rmqha import clock
from pytest_rmqha.adapters.engine import FileToPut
from pytest_rmqha.checkers.patience import Spell, Wait, spells
from pytest_rmqha.checkers.verdict import Outcome, Verdict
from pytest_rmqha.errors import BudgetSpent, HarnessError
from pytest_rmqha.lease import LOAD_USER
from pytest_rmqha.waiting import Budget, await_match, seconds

VHOST, CLIENT = "rmqha.patience", "rmqha-client"
ASKED, TOLD = "/run/rmqha/patience.json", "/run/rmqha/patience.jsonl"
IDLE, SILENT = 3, 1
GIVE_UP = seconds(100)  # longer than what is promised of a silent one
"""One idle client for each broker; few, because autoheal counts connections."""
PROGRAM = f"python3 -m rmqha_client.patience {ASKED} {TOLD} </dev/null >/dev/null 2>&1 &"
Check = Callable[[Sequence[Wait], Sequence[Spell], float, Budget], Verdict]


class Patience:
    """The waiting clients of one session, in a process of their own beside the load client."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack

    def begin(self) -> None:
        api = self._stack.cluster.any_answering().api
        api.put_vhost(VHOST)
        for user in ("rmqha-admin", LOAD_USER):
            api.put_permissions(VHOST, user)
        asked = {
            "host": self._stack.front,
            "port": 5672,
            "user": LOAD_USER,
            "password": self._stack.load_password,
            "vhost": VHOST,
            "idle": IDLE,
            "silent": SILENT,
            "give_up": GIVE_UP.seconds,
        }
        self._stack.engine.put(CLIENT, [FileToPut(ASKED, json.dumps(asked).encode(), 0o600)])
        self._stack.engine.must(CLIENT, "sh", "-c", PROGRAM)

    def end(self) -> None:
        """The clients go and their vhost with them, as far as there still is a stack."""
        self._stack.engine.exec(CLIENT, "pkill", "-f", "rmqha_client.patience")
        self._stack.cluster.any_answering().api.delete_vhost(VHOST)

    def waits(self) -> tuple[Wait, ...]:
        """Every connection so far. A stack that was built anew has lost its waiting clients: they begin again."""
        if self._stack.engine.exec(CLIENT, "pgrep", "-f", "rmqha_client.patience").code != 0:
            self.begin()
            raise HarnessError("the waiting clients had ended; they begin again")
        told = self._stack.engine.exec(CLIENT, "cat", TOLD)
        last = {line["name"]: Wait(**line) for line in map(json.loads, told.out.splitlines()) if line}
        return tuple(last.values())

    def decided(self, check: Check, budget: Budget) -> Verdict:
        """The verdict, waited for as long as it takes for one connection to last; mostly it is there already."""

        def ask() -> Verdict:
            return check(self.waits(), spells(self._stack.timeline.events), clock.now(), budget)

        try:
            return await_match(
                ask,
                lambda verdict: verdict.outcome is not Outcome.UNDECIDED,
                what=f"{budget} without a fault for one waiting client",
                within=seconds(2 * budget.stated + 45),  # a client that a fault has touched ends first, then one lasts
                every=1.0,
                ignore=(HarnessError,),
            )
        except BudgetSpent:
            return ask()
