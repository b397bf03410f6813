"""What several runs should have and none of them has: a sentence for each gap. Pure: manifests in, sentences out.

A reason that names an earlier run is a promise, and that run must be given, too. ``FAILED already in A`` is kept only by
A's own FAILED, whatever else has passed that test. ``passed already in A`` is kept by A, or by a verdict that the same
stack has seen since: what another stack has passed says nothing of this one.

The sentences of a merge that is merged again stay, but for those that are no longer true. A merge does not tell which
shards are in it, so that a shard is missing stays true of it: merge the runs themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_rmqha.resumption import STATES, is_settled
from pytest_rmqha.runs import Manifest, left_out_of, records_of
from pytest_rmqha.selection import NOT_CHOSEN
from pytest_rmqha.session_report import FAILED, LeftOut, ScenarioRecord
from pytest_rmqha.shards import ON_EVERY_STACK, is_elsewhere

NOT_GIVEN, NOBODYS = "which is not among the runs", "and no run has it"


@dataclass(frozen=True)
class Given:
    """The runs of a merge. ``seen``: stack, as ``stack_of`` says -> node ids that have a record there.

    ``outcomes``: name of a run, given or in a merge that is -> node id -> outcomes that it has, or that merge.
    """

    manifests: Sequence[Manifest]
    seen: Mapping[object, frozenset[str]]
    outcomes: Mapping[str, Mapping[str, frozenset[str]]]

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> Given:
        seen: dict[object, frozenset[str]] = {}
        outcomes: dict[str, dict[str, frozenset[str]]] = {}
        for manifest in manifests:
            records = records_of(manifest)
            for record in records:
                stack = stack_of(manifest, record)
                seen[stack] = seen.get(stack, frozenset()) | {record.nodeid}
            for run in all_names(manifest):
                of_it = outcomes.setdefault(run, {})
                for record in records:
                    of_it[record.nodeid] = of_it.get(record.nodeid, frozenset()) | {record.outcome}
        return cls(manifests, seen, outcomes)

    def is_there(self, nodeid: str) -> bool:
        return any(nodeid in of_it for of_it in self.seen.values())

    def on(self, manifest: Manifest) -> frozenset[str]:
        """Node ids that have a record on the stack of that run."""
        return self.seen.get(stack_of(manifest), frozenset())

    def keeps(self, manifest: Manifest, one: LeftOut) -> bool:
        """Whether what a reason in that run's manifest promises is there; of a merge's stacks nothing is known."""
        outcomes = self.outcomes.get(is_settled(one.reason) or "", {}).get(one.nodeid, frozenset())
        if has_failed(one.reason):
            return FAILED in outcomes
        return bool(outcomes) or (not is_merge(manifest) and one.nodeid in self.on(manifest))

    def broken(self, one: LeftOut) -> str:
        """The sentence about a promise that is not kept."""
        return f"{one.nodeid}: {one.reason}, {NOBODYS if is_settled(one.reason) in self.outcomes else NOT_GIVEN}"


def stack_of(manifest: Manifest, record: ScenarioRecord | None = None) -> object:
    """The shard whose runs have one stack after the other; None for a run of none, and for a merge.

    What is asked of every stack has in a merge of shards the worst answer of several: no other run takes that back.
    """
    if record is not None and manifest.get("of_shards") and set(record.ids) <= ON_EVERY_STACK:
        return manifest["run"]
    return (manifest.get("shard") or {}).get("index")


def is_merge(manifest: Manifest) -> bool:
    return "merged" in manifest


def all_names(manifest: Manifest) -> list[str]:
    """Its own, and those of all runs that were merged into it, at any depth."""
    return [str(manifest["run"]), *manifest.get("merged", ()), *manifest.get("merged_before", ())]


def has_failed(reason: str) -> bool:
    return reason.startswith(STATES[FAILED])


def left_out(given: Given) -> tuple[list[LeftOut], list[str]]:
    """(what is left out of the whole, a sentence for each that should not be).

    A test that has a record is among the first only where a promise about it is not kept.
    """
    kept: list[LeftOut] = []
    lost: list[str] = []
    are_chosen_alike = len({_choice(manifest) for manifest in given.manifests}) == 1
    for nodeid, said in _reasons(given).items():
        broken = [one for manifest, one in said if is_settled(one.reason) and not given.keeps(manifest, one)]
        lost += [given.broken(one) for one in broken]
        if broken:
            kept.append(min(broken, key=lambda one: not has_failed(one.reason)))
        elif not given.is_there(nodeid):
            own = [one for _, one in said if _is_own(one.reason) and (are_chosen_alike or one.reason != NOT_CHOSEN)]
            kept.append((own or [one for _, one in said])[0])
            lost += [] if own else [_nobodys(said[0][1])]
    return kept, lost


def not_reached(given: Given) -> dict[str, str]:
    """Sentence -> node id, of what a stack's runs did not reach and none of them has."""
    return {
        _never(manifest, nodeid): nodeid
        for manifest in given.manifests
        if not is_merge(manifest)
        for nodeid in sorted(set(manifest.get("not_reached", ())) - given.on(manifest))
    }


def carried(given: Given) -> dict[str, str]:
    """Sentence -> node id if it is one of ``not_reached``, else empty: what merges lacked, as far as it is still true."""
    found: dict[str, str] = {}
    for manifest in filter(is_merge, given.manifests):
        gone = set(_no_longer_true(given, manifest))
        left = [sentence for sentence in manifest.get("lacking", ()) if sentence not in gone]
        nodeids = manifest.get("not_reached", ())
        found |= {sentence: next((n for n in nodeids if sentence.endswith(f" reached {n}")), "") for sentence in left}
    return found


def _no_longer_true(given: Given, merge: Manifest) -> Iterator[str]:
    for other in given.manifests:
        if other is not merge:
            records = (record for record in records_of(other) if stack_of(other, record) == stack_of(other))
            yield from (_never(other, record.nodeid) for record in records)
    reasons = _reasons(given)
    for one in left_out_of(merge):
        if is_settled(one.reason):
            if given.keeps(merge, one):
                yield from (f"{one.nodeid}: {one.reason}, {end}" for end in (NOT_GIVEN, NOBODYS))
        elif given.is_there(one.nodeid) or any(
            _is_own(said.reason) and said.reason != NOT_CHOSEN for _, said in reasons[one.nodeid]
        ):
            yield _nobodys(one)


def _reasons(given: Given) -> dict[str, list[tuple[Manifest, LeftOut]]]:
    found: dict[str, list[tuple[Manifest, LeftOut]]] = {}
    for manifest in given.manifests:
        for one in left_out_of(manifest):
            found.setdefault(one.nodeid, []).append((manifest, one))
    return found


def _never(manifest: Manifest, nodeid: str) -> str:
    shard = manifest.get("shard")
    whose = f" of shard {shard['index']}/{shard['count']}" if shard else ""
    return f"no run{whose} reached {nodeid}"


def _nobodys(one: LeftOut) -> str:
    return f"{one.nodeid}: {one.reason}, {NOBODYS}"


def _is_own(reason: str) -> bool:
    """A reason that lies in the test and its stack, and not in what another run has."""
    return not is_elsewhere(reason) and is_settled(reason) is None


def _choice(manifest: Manifest) -> tuple[frozenset[str], frozenset[str]]:
    """(all that it collected, what of it was not chosen), as node ids: alike where paths, ``-k`` and ``-m`` were."""
    left_out = left_out_of(manifest)
    collected = {record.nodeid for record in records_of(manifest)} | {one.nodeid for one in left_out}
    not_chosen = frozenset(one.nodeid for one in left_out if one.reason == NOT_CHOSEN)
    return frozenset(collected | set(manifest.get("not_reached", ()))), not_chosen
