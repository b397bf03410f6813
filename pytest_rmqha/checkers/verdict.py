"""Three answers, never two: HELD, UNDECIDED, BROKEN. The worst wins, and no evidence is UNDECIDED.

``verify`` judges a history, ``judge`` takes verdicts that were reached otherwise (promotion, VIP). Both pass every
verdict to each callable in ``recorded`` before they raise, so that one can tell which scenarios asserted anything.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from pytest_rmqha.errors import InvariantNotUpheld, NoVerdict
from pytest_rmqha.workload.history import History

MOST_EVIDENCE = 20
RUNS_SHOWN = 10


class Outcome(IntEnum):
    """Ordered by how bad it is: ``max`` of several is the outcome of all."""

    HELD = 0
    UNDECIDED = 1
    BROKEN = 2


@dataclass(frozen=True)
class Verdict:
    """``reason`` is one sentence that stands alone. ``measured`` and ``budget`` are in the unit that the reason names.

    ``evidence`` is cut to 20 lines when the verdict is made, with a last one that says how many are left out.
    """

    outcome: Outcome
    checker: str
    reason: str
    evidence: tuple[str, ...] = ()
    measured: float | None = None
    budget: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "evidence", bounded(self.evidence))

    def __str__(self) -> str:
        head = f"{self.outcome.name} {self.checker}: {self.reason}"
        return "\n".join((head, *(f"    {line}" for line in self.evidence)))


Checker = Callable[[History], Verdict]
recorded: list[Callable[[Verdict], object]] = []


@contextlib.contextmanager
def recording() -> Iterator[list[Verdict]]:
    """Every verdict that is reached in the block, in order. Recordings may be nested; each gets all."""
    verdicts: list[Verdict] = []

    def hook(verdict: Verdict) -> None:
        verdicts.append(verdict)

    recorded.append(hook)
    try:
        yield verdicts
    finally:
        recorded.remove(hook)


def verify(history: History, *checkers: Checker) -> tuple[Verdict, ...]:
    """Run every checker on the history, then ``judge``. One that crashes or answers no Verdict is UNDECIDED."""
    return judge(*(_run(checker, history) for checker in checkers))


def judge(*verdicts: Verdict) -> tuple[Verdict, ...]:
    """Record the verdicts; return them if all HELD, raise InvariantNotUpheld if one is BROKEN, else NoVerdict.

    The message lists all of them, the worst first. No verdict at all is NoVerdict: nothing was asserted.
    """
    if not verdicts:
        raise NoVerdict("nothing was asserted: no checker was given, so there is nothing to judge")
    for verdict in verdicts:
        for hook in tuple(recorded):
            hook(verdict)
    worst = max(verdict.outcome for verdict in verdicts)
    if worst is Outcome.HELD:
        return verdicts
    by_weight = sorted(verdicts, key=lambda verdict: -verdict.outcome)
    message = "\n".join(str(verdict) for verdict in by_weight)
    raise InvariantNotUpheld(message) if worst is Outcome.BROKEN else NoVerdict(message)


def name_of(checker: object) -> str:
    return str(getattr(checker, "__name__", type(checker).__name__))


def _run(checker: Checker, history: History) -> Verdict:
    try:
        answer: object = checker(history)
    except Exception as error:
        trace = tuple(line for part in traceback.format_exception(error)[-3:] for line in part.rstrip().splitlines())
        reason = f"the checker crashed: {type(error).__name__}: {error}"
        return Verdict(Outcome.UNDECIDED, name_of(checker), reason, trace)
    if isinstance(answer, Verdict):
        return answer
    hint = "; was it to be called first, with its budget?" if callable(answer) else ""
    reason = f"the checker answered {type(answer).__name__}, no Verdict{hint}"
    return Verdict(Outcome.UNDECIDED, name_of(checker), reason)


def bounded(lines: Iterable[str], most: int = MOST_EVIDENCE) -> tuple[str, ...]:
    """At most ``most`` lines and one that counts the rest. Lines that are bounded already stay as they are."""
    kept = tuple(lines)
    if len(kept) <= most or (len(kept) == most + 1 and kept[-1].startswith("and ")):
        return kept
    return (*kept[:most], f"and {len(kept) - most} more")


def runs(numbers: Iterable[int], shown: int = RUNS_SHOWN) -> str:
    """Ascending numbers as ``3–5, 9``, at most ``shown`` stretches; the others are counted, never kept (five million can be)."""
    told: list[str] = []
    count, first, last = 0, 0, -2
    for number in numbers:
        if number == last + 1:
            last = number
            continue
        if 0 < count <= shown:
            told.append(str(first) if first == last else f"{first}–{last}")
        count, first, last = count + 1, number, number
    if 0 < count <= shown:
        told.append(str(first) if first == last else f"{first}–{last}")
    if count > shown:
        told.append(f"and {count - shown} more")
    return ", ".join(told)
