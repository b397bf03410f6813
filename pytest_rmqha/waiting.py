"""The one polling loop, and the length of time it is given.

Idea: RabbitMQ's ``?awaitMatch`` (deps/rabbitmq_ct_helpers): poll on a monotonic clock and fail with what was last seen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pytest_rmqha.clock import now
from pytest_rmqha.errors import BudgetSpent, UserInputError

T = TypeVar("T")
LONGEST_SHOWN = 600


class _Interrupts:
    """Who is asked at each poll whether the session has been told to end."""

    check: Callable[[], None] | None = None


def at_safe_points(check: Callable[[], None] | None) -> None:
    """``check`` is called before each poll, where nothing is half done, and may raise; None ends that."""
    _Interrupts.check = check


class _Scale:
    """What every budget of this process is multiplied by; one value, because one machine is as slow for all of them."""

    factor = 1.0


def scale_budgets(factor: float) -> None:
    """``--rmq-budget-scale``: from now on every budget, those made before included, is ``factor`` times as long."""
    _Scale.factor = factor


@dataclass(frozen=True, order=True)
class Budget:
    """A length of time: finite, not negative. Passed as ``within=``; never a bare number.

    ``stated`` is what was written, in seconds of a machine as fast as ours; ``seconds`` is what it comes to here.
    """

    stated: float

    def __post_init__(self) -> None:
        usable = isinstance(self.stated, int | float) and not isinstance(self.stated, bool)
        if not usable or not math.isfinite(self.stated) or self.stated < 0:
            raise UserInputError(
                "a budget", repr(self.stated), "a finite number of seconds, 0 or more", "write it as seconds(15)"
            )

    @property
    def seconds(self) -> float:
        return self.stated * _Scale.factor

    def __str__(self) -> str:
        return f"{self.seconds:g} s"


def seconds(n: float) -> Budget:
    return Budget(n)


@dataclass(frozen=True, eq=False)
class Wait:
    """A wait that goes on: for what, until when, and the clock that says so."""

    what: str
    deadline: float
    clock: Callable[[], float]

    @property
    def left(self) -> float:
        """Seconds until it is given up."""
        return max(0.0, self.deadline - self.clock())


_GOING_ON: list[Wait] = []


def awaited() -> Wait | None:
    """What ``await_match`` waits for at this moment, the innermost wait of all threads; may be asked from any thread."""
    return next(iter(_GOING_ON[-1:]), None)


def await_match(
    ask: Callable[[], T],
    matches: Callable[[T], bool],
    *,
    what: str,
    within: Budget,
    every: float = 0.2,
    error: type[Exception] = BudgetSpent,
    ignore: tuple[type[Exception], ...] = (),
    clock: Callable[[], float] = now,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Ask until the answer matches, and return that answer.

    ``what`` completes "waited in vain for …". Exceptions in ``ignore``, from ``ask`` or ``matches``, count as an answer
    that doesn't match; all others pass through. Asks at least once, and a last time at the deadline. When time is over,
    ``error`` is raised with what was waited for, what was last seen and for how long; its cause is the last exception
    if that was the last answer. A hanging ``ask`` is not interrupted: give it a time-out of its own.
    """
    wait = Wait(what, clock() + within.seconds, clock)
    _GOING_ON.append(wait)
    try:
        return _poll(ask, matches, wait, within, every, error, ignore, sleep)
    finally:
        _GOING_ON.remove(wait)


def _poll(
    ask: Callable[[], T],
    matches: Callable[[T], bool],
    wait: Wait,
    within: Budget,
    every: float,
    error: type[Exception],
    ignore: tuple[type[Exception], ...],
    sleep: Callable[[float], None],
) -> T:
    clock, deadline = wait.clock, wait.deadline
    start = deadline - within.seconds
    tries = 0
    while True:
        if _Interrupts.check is not None:
            _Interrupts.check()
        last_try = clock() >= deadline
        tries += 1
        failed: Exception | None = None
        try:
            answer = ask()
            if matches(answer):
                return answer
            seen = repr(answer)
        except ignore as caught:
            failed = caught
            seen = f"{type(caught).__name__}: {caught}"
        if last_try:
            spent = f"{clock() - start:.1f} s of {within}, {tries} {'try' if tries == 1 else 'tries'}"
            raise error(f"waited in vain for {wait.what} ({spent}); last seen: {shortened(seen)}") from failed
        remaining = deadline - clock()
        if remaining > 0:
            sleep(min(every, remaining))


def shortened(text: str, longest: int = LONGEST_SHOWN) -> str:
    """At most ``longest`` characters, saying how many are left out."""
    return text if len(text) <= longest else f"{text[:longest]}… and {len(text) - longest} more characters"
