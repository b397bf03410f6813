"""Faults made of faults; the result is a fault again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_rmqha.errors import FaultNotInjected, HarnessError, UserInputError
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.waiting import Budget, await_match


def together(*faults: Fault) -> Fault:
    """All at the same time: injected one right after the other, in effect when each is, healed newest first.

    The injections follow each other without a wait; where they must hit at the same *moment*, write one fault for it.
    """

    def inject() -> None:
        for fault in faults:
            fault.inject()

    return _compound("together", " + ", faults, inject, tuple(reversed(faults)), max)


def in_turn(*faults: Fault) -> Fault:
    """One on top of the other: each is injected once the one before is seen in effect. Healed oldest first.

    That is the chain in which a stale member could win (C off, A off, C back, A back). Nothing is awaited between the
    heals, since the first member may need the second to come up.
    """

    def inject() -> None:
        for fault in faults[:-1]:
            fault.inject()
            await_match(
                fault.in_effect,
                bool,
                what=f"“{fault}” in effect",
                within=fault.within,
                error=FaultNotInjected,
                ignore=(HarnessError,),
            )
        faults[-1].inject()

    return _compound("in turn", ", then ", faults, inject, faults, sum_of)


def sum_of(budgets: Iterable[Budget]) -> Budget:
    return Budget(sum(budget.stated for budget in budgets))


def _compound(
    name: str,
    joint: str,
    faults: tuple[Fault, ...],
    inject: Callable[[], object],
    heals: tuple[Fault, ...],
    gone_within: Callable[[Iterable[Budget]], Budget],
) -> Fault:
    if not faults:
        raise UserInputError(f"faults {name}", "none", "at least one fault", "name the faults to combine")
    return Fault(
        title=joint.join(fault.title for fault in faults),
        inject=inject,
        heal=lambda: _each_healed(heals),
        in_effect=lambda: all(fault.in_effect() for fault in faults),
        is_gone=lambda: all(fault.is_gone() for fault in faults),
        within=max(fault.within for fault in faults),
        gone_within=gone_within(fault.gone_within for fault in faults),
        targets=tuple(dict.fromkeys(target for fault in faults for target in fault.targets)),
        undone=lambda: all(fault.undone() for fault in faults),
    )


def _each_healed(faults: tuple[Fault, ...]) -> None:
    """A heal that fails keeps no other from being tried; the failures are raised together afterwards."""
    failures: list[Exception] = []
    for fault in faults:
        try:
            fault.heal()
        except Exception as error:
            error.add_note(f"while healing “{fault}”")
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup("several heals failed", failures)
