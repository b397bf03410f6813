"""Who leads a queue after its leader was lost. Names are Erlang node names; judge the result with ``verdict.judge``."""

from __future__ import annotations

from pytest_rmqha.checkers.verdict import Outcome, Verdict
from pytest_rmqha.waiting import Budget

PROMOTED = "promoted"
ELECTION = "election"


def promoted(before_leader: str | None, after_leader: str | None, was_synced: frozenset[str]) -> Verdict:
    """A mirror that was in sync leads now. ``was_synced``: the state before the fault; the old leader in it is ignored.

    Undecided if there was no leader before, no synced mirror to promote, or if the same node still leads. Which synced
    mirror is the *oldest* is not in the data, so the choice among several is not judged.
    """
    mirrors = was_synced - {before_leader}
    if (undecided := _no_change(PROMOTED, before_leader, after_leader)) is not None:
        return undecided
    if after_leader in mirrors:
        return Verdict(Outcome.HELD, PROMOTED, f"{after_leader} was in sync and leads now, after {before_leader}")
    if after_leader is None:
        if not mirrors:
            reason = f"no mirror was in sync when {before_leader} was lost: none to promote"
            return Verdict(Outcome.UNDECIDED, PROMOTED, reason)
        return Verdict(Outcome.BROKEN, PROMOTED, f"nobody leads after {before_leader}; in sync were {_listed(mirrors)}")
    reason = f"{after_leader} was not in sync and leads now, after {before_leader}; in sync were {_listed(mirrors)}"
    return Verdict(Outcome.BROKEN, PROMOTED, reason)


def election(
    before_leader: str | None,
    after_leader: str | None,
    members: frozenset[str],
    *,
    took: float | None = None,
    within: Budget | None = None,
) -> Verdict:
    """Another member of the queue leads now; with ``took`` (seconds) and ``within``, in time.

    Undecided if there was no leader before, if the same node still leads, or if a budget is given and no time.
    """
    if (undecided := _no_change(ELECTION, before_leader, after_leader)) is not None:
        return undecided
    voters = members - {before_leader}
    if after_leader is None:
        return Verdict(Outcome.BROKEN, ELECTION, f"nobody leads after {before_leader}; members are {_listed(voters)}")
    if after_leader not in voters:
        return Verdict(Outcome.BROKEN, ELECTION, f"{after_leader} leads and is none of the members {_listed(voters)}")
    if within is None:
        return Verdict(Outcome.HELD, ELECTION, f"{after_leader} was elected after {before_leader}", measured=took)
    if took is None:
        return Verdict(
            Outcome.UNDECIDED,
            ELECTION,
            f"{after_leader} was elected; how long it took was not measured",
            budget=within.seconds,
        )
    outcome = Outcome.HELD if took <= within.seconds else Outcome.BROKEN
    reason = f"{after_leader} was elected after {before_leader} in {took:.1f} s, budget {within}"
    return Verdict(outcome, ELECTION, reason, (), took, within.seconds)


def _no_change(name: str, before: str | None, after: str | None) -> Verdict | None:
    if before is None:
        return Verdict(Outcome.UNDECIDED, name, "nobody led before the fault: there was nothing to succeed")
    if before == after:
        return Verdict(Outcome.UNDECIDED, name, f"{before} led before and leads still: no change was seen")
    return None


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"
