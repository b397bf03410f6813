"""Whose fault it is: ``InvariantNotUpheld`` speaks about the stack under test, every ``HarnessError`` about us."""

from __future__ import annotations


class InvariantNotUpheld(AssertionError):
    """The stack under test is not safe. Nothing else in the package derives from AssertionError."""


class HarnessError(Exception):
    """We could not do our work: no statement about the stack under test."""


class StackNotUp(HarnessError):
    """The stack did not come up, or not back to steady state, before anything was done to it."""


class FaultNotInjected(HarnessError):
    """A fault was asked for and never seen in effect: what follows would prove nothing."""


class NotHealed(HarnessError):
    """A fault is still there after its heal: the stack is no place for the next scenario."""


class ToolFailed(HarnessError):
    """A tool or an interface that we need refused, failed or did not answer in time."""


class NobodyListens(ToolFailed):
    """The port refuses connections: the program behind it is not there."""


class BudgetSpent(HarnessError):
    """What we waited for did not happen in time, and it was ours to bring about."""


class NoVerdict(HarnessError):
    """There is no evidence either way. UNDECIDED is red, but it is not the stack's failure."""


class UserInputError(Exception):
    """Somebody gave us a value we can't use; ``str()`` is the whole message, to be shown without a traceback."""

    def __init__(self, what: str, got: object, allowed: str, remedy: str) -> None:
        super().__init__(what, got, allowed, remedy)
        self.what, self.got, self.allowed, self.remedy = what, got, allowed, remedy

    def __str__(self) -> str:
        return f"{self.what}: got {self.got}; expected {self.allowed}. To do: {self.remedy}."
