"""The budgets of promises by name: what a test or a user states for them wins over the scenario's default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.waiting import Budget, seconds

BUDGETS: Mapping[str, str] = {
    "publishing": "longest stretch without a confirm",
    "delivery": "longest stretch without a delivery",
    "connecting": "until a new connection is served",
    "failover": "until the other balancer holds the VIP",
    "recovery": "from the end of the fault to steady state",
    "boot": "from the start of the last needed node until clients are served",
}


@dataclass(frozen=True)
class Budgets:
    """``stated``: name -> seconds, from ``rmq_slo``. Called with a name and the scenario's default, it gives what counts."""

    stated: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, name: str, default: Budget) -> Budget:
        if name not in BUDGETS:
            raise UserInputError("budget", name, ", ".join(BUDGETS), "use one of these names")
        return seconds(self.stated[name]) if name in self.stated else default
