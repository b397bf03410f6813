"""The only injector. A fault lasts as long as its block, and counts only when it is seen.

Enter returns when the fault is seen in effect. Leaving heals, always, and waits until the fault is seen gone. All four
moments go on the timeline; ``fault.injected`` and ``fault.healed`` carry the moment at which the act began, and
``data['took']``, the seconds it took.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from pytest_rmqha.clock import now
from pytest_rmqha.errors import FaultNotInjected, HarnessError, InvariantNotUpheld, NotHealed
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import await_match

Step = Callable[[str, str], AbstractContextManager[object]]


def _no_step(_act: str, _title: str) -> AbstractContextManager[object]:
    return contextlib.nullcontext()


class Chaos:
    """The injector of one scenario.

    ``on_step(act, title)``, act being ``inject`` or ``heal``, wraps each act with its wait (a report's step).
    ``unhealed`` lists the faults that were healed in vain and not seen gone since: while it isn't empty, the stack is
    no place for another scenario.
    """

    def __init__(
        self,
        timeline: Timeline,
        *,
        on_step: Step = _no_step,
        clock: Callable[[], float] = now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.unhealed: list[Fault] = []
        self._timeline = timeline
        self._on_step = on_step
        self._clock = clock
        self._sleep = sleep
        self._active: list[Fault] = []
        self._landed: list[Fault] = []

    @property
    def landed(self) -> tuple[Fault, ...]:
        """Every fault that was seen in effect, oldest first. None in a scenario that has a fault: it proves nothing."""
        return tuple(self._landed)

    @property
    def active(self) -> tuple[Fault, ...]:
        """Faults that were begun and not yet seen gone, oldest first."""
        return tuple(self._active)

    @contextlib.contextmanager
    def inject(self, fault: Fault) -> Iterator[Fault]:
        """The fault is in effect in the block, and gone after it.

        FaultNotInjected if it isn't seen in effect in time, NotHealed if it isn't seen gone. When the block fails (an
        interrupt included) that error stays the one that is raised, and a NotHealed becomes a note on it; only a failure of
        ours gives way to a stack that does not come back.
        """
        self._active.append(fault)
        try:
            self._enter(fault)
            yield fault
        except BaseException as error:
            try:
                self.heal(fault)
            except (NotHealed, InvariantNotUpheld) as not_healed:
                if isinstance(not_healed, InvariantNotUpheld) and isinstance(error, HarnessError):
                    raise not_healed from error  # what the stack does not keep outweighs what we could not do
                error.add_note(f"And the fault was not healed: {type(not_healed).__name__}: {not_healed}")
            raise
        self.heal(fault)

    def heal(self, fault: Fault) -> None:
        """Heal now, before the end of the block, and wait until it is gone. A fault that isn't active is left alone.

        InvariantNotUpheld where the fault is undone and it is the stack that does not come back.
        """
        if not any(active is fault for active in self._active):
            return
        began = self._clock()
        try:
            with self._on_step("heal", fault.title):
                fault.heal()
                self._note("fault.healed", fault, at=began, took=self._clock() - began)
                self._await(fault.is_gone, fault, "gone", NotHealed)
        except BaseException as error:
            if not any(known is fault for known in self.unhealed):
                self.unhealed.append(fault)
            self._note("note", fault, text=f"not healed: {type(error).__name__}")
            if isinstance(error, NotHealed) and self._is_undone(fault):
                self._forget(fault)
                raise InvariantNotUpheld(f"the stack does not come back by itself: {error}") from error
            if isinstance(error, NotHealed | InvariantNotUpheld) or not isinstance(error, Exception):
                raise
            raise NotHealed(f"healing “{fault}” failed: {type(error).__name__}: {error}") from error
        self._forget(fault)
        self._note("fault.gone", fault, after=self._clock() - began)

    def _forget(self, fault: Fault) -> None:
        self._active = [active for active in self._active if active is not fault]
        self.unhealed = [known for known in self.unhealed if known is not fault]

    @staticmethod
    def _is_undone(fault: Fault) -> bool:
        try:
            return fault.undone()
        except Exception:  # a look that fails proves nothing, and must not hide why it was asked
            return False

    def heal_all(self) -> None:
        """Heal whatever is still active, newest first, the ones that were healed in vain included. May be called again.

        Every fault is tried before the first failure is raised; the others become notes on it.
        """
        failures: list[NotHealed | InvariantNotUpheld] = []
        for fault in reversed(self.active):
            try:
                self.heal(fault)
            except (NotHealed, InvariantNotUpheld) as error:
                failures.append(error)
        for further in failures[1:]:
            failures[0].add_note(f"And: {further}")
        if failures:
            raise failures[0]

    def _enter(self, fault: Fault) -> None:
        began = self._clock()
        try:
            with self._on_step("inject", fault.title):
                fault.inject()
                self._note("fault.injected", fault, at=began, took=self._clock() - began)
                self._await(fault.in_effect, fault, "in effect", FaultNotInjected)
        except Exception as error:
            self._note("note", fault, text=f"not injected: {type(error).__name__}")
            if isinstance(error, FaultNotInjected):
                raise
            raise FaultNotInjected(f"injecting “{fault}” failed: {type(error).__name__}: {error}") from error
        self._landed.append(fault)
        self._note("fault.seen", fault, after=self._clock() - began)

    def _await(self, sees: Callable[[], bool], fault: Fault, state: str, error: type[Exception]) -> None:
        within = fault.within if error is FaultNotInjected else fault.gone_within
        with self._timeline.waiting(f"“{fault}” {state}"):
            await_match(
                sees,
                bool,
                what=f"“{fault}” {state}",
                within=within,
                every=0.1,
                error=error,
                ignore=(HarnessError,),
                clock=self._clock,
                sleep=self._sleep,
            )

    def _note(self, kind: str, fault: Fault, *, text: str = "", at: float | None = None, **data: object) -> None:
        self._timeline.add(kind, fault.title, text, self._clock() if at is None else at, targets=fault.targets, **data)
