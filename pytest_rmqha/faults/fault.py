"""A fault as a value: what to do to the stack, how to see it, how to undo it and how to see that it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_rmqha.waiting import Budget, seconds


@dataclass(frozen=True, eq=False)
class Fault:
    """Callables take no arguments. Two faults are the same only if they are the same object.

    ``in_effect`` and ``is_gone`` ask the world, never what we told it; ``is_gone`` is not ``not in_effect``: a killed
    node that starts again is no longer dead and not yet back. A HarnessError raised by either counts as "not yet".
    ``heal`` is idempotent, works on a fault that was injected by half or not at all, and *requests* starts: members may
    need each other to come up, so it doesn't await each. ``within`` and ``gone_within`` are the time that seeing may
    take after ``inject`` and ``heal`` have returned. ``targets``: names of the members that are hit. ``undone``: what *we*
    did is undone; a stack that is not back then has failed itself, and not the harness.
    """

    title: str
    inject: Callable[[], object]
    heal: Callable[[], object]
    in_effect: Callable[[], bool]
    is_gone: Callable[[], bool]
    within: Budget = field(default_factory=lambda: seconds(10))
    gone_within: Budget = field(default_factory=lambda: seconds(60))
    targets: tuple[str, ...] = ()
    undone: Callable[[], bool] = lambda: False

    def __str__(self) -> str:
        return self.title
