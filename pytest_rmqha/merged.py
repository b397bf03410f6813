"""Several runs as one: the shards of a run, and a run with those that resumed it. Pure: manifests in, a manifest out.

The worst verdict of a test stands: one FAILED is not taken back by a later pass. What had no verdict in one run gives way
to what another saw. What no run has, and should have, is named, and the whole is red for it.

A test that ``-k``, ``-m`` or ``--deselect`` left out is lacking like any other, unless all runs were given the very same
choice: they collected the same tests and left out the same. Then the whole is what was chosen, as one run with that
choice would be: green without the test, and listed with its reason. Runs that chose differently were to make one whole
between them, and what none of them chose is a hole in it. Limit: a test that no run has even collected is known to none.

Images and programs are compared as ``ingredients`` says, what is lacking is found by ``gaps``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from pytest_rmqha import code_digest, gaps, ingredients
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.gaps import Given
from pytest_rmqha.ingredients import ASKED, OF_A_STACK, SETTLED_ON, noted
from pytest_rmqha.resumption import CODE, DIGEST, SAME, is_settled
from pytest_rmqha.runs import Manifest, left_out_of, records_of, setting
from pytest_rmqha.session_report import FAILED, PASSED, WORST_FIRST, ScenarioRecord
from pytest_rmqha.shards import missing

ASKED_BY = "rmqha report merge"
ENDED = (None, 0, 1, 2, 5)
OF_ONE, OF_ALL = ("not_reached", "unfinished", "shard"), (CODE, ASKED, *OF_A_STACK, SETTLED_ON)


def merge(manifests: Sequence[Manifest], name: str) -> dict[str, Any]:
    """One manifest, called ``name``. ``lacking`` holds a sentence for each gap; ``exit_status`` is 1 if it is not green.

    UserInputError when the runs are not of one thing: other settings, configuration, seed, code, version, images or programs.
    """
    _refuse_strangers(manifests)
    records = worst(record for of_it in _by_stack(manifests) for record in settled(of_it))
    given = Given.of(manifests)
    left_out, lost = gaps.left_out(given)
    carried = gaps.carried(given)
    not_reached = gaps.not_reached(given) | {sentence: nodeid for sentence, nodeid in carried.items() if nodeid}
    lacking = missing([manifest["shard"] for manifest in manifests if manifest.get("shard")])
    lacking += [*not_reached, *lost, *carried, *(text for manifest in manifests if (text := _ended_oddly(manifest)))]
    lacking = list(dict.fromkeys(lacking))
    first = manifests[0]
    green = bool(records) and not lacking and all(record.outcome == PASSED for record in records)
    return {
        **{key: value for key, value in first.items() if key not in (*OF_ONE, *OF_ALL)},
        **{key: known for key in OF_ALL if (known := _together(manifests, key))},
        "run": name,
        "merged": [str(manifest["run"]) for manifest in manifests],
        "of_shards": any(manifest.get("shard") or manifest.get("of_shards") for manifest in manifests),
        "merged_before": [name for manifest in manifests for name in gaps.all_names(manifest)[1:]],
        "started": min(str(manifest.get("started", "")) for manifest in manifests),
        "finished": max(str(manifest.get("finished") or "") for manifest in manifests),
        "exit_status": 0 if green else 1,
        "again": "; ".join(str(manifest.get("again", "")) for manifest in manifests),
        "scenarios": [asdict(record) for record in records],
        "left_out": [asdict(one) for one in left_out],
        "not_reached": sorted(set(not_reached.values())),
        "lacking": lacking,
    }


def _by_stack(manifests: Sequence[Manifest]) -> list[list[ScenarioRecord]]:
    """What was seen on each shard's stack, by the run that was resumed and by those that went on; on those of no shard."""
    found: dict[object, list[ScenarioRecord]] = {}
    for manifest in manifests:
        for record in records_of(manifest):
            found.setdefault(gaps.stack_of(manifest, record), []).append(record)
    return list(found.values())


def worst(records: Iterable[ScenarioRecord]) -> list[ScenarioRecord]:
    """One record a test of those that several stacks were asked: what one of them has not proven no other one proves."""
    found: dict[str, ScenarioRecord] = {}
    for record in records:
        known = found.get(record.nodeid)
        if known is None or WORST_FIRST.index(record.outcome) < WORST_FIRST.index(known.outcome):
            found[record.nodeid] = record
    return list(found.values())


def settled(records: Iterable[ScenarioRecord]) -> list[ScenarioRecord]:
    """Of the runs of one stack, one record a test: a failed one if there is any, else one that passed, else the last."""
    found: dict[str, ScenarioRecord] = {}
    for record in records:
        known = found.get(record.nodeid)
        if known is None or (known.outcome != FAILED and (record.outcome == FAILED or known.outcome != PASSED)):
            found[record.nodeid] = record
    return list(found.values())


def _together(manifests: Sequence[Manifest], key: str) -> dict[str, object]:
    """What they have noted under a key, as far as those that speak of the same say the same."""
    said: dict[str, list[object]] = {}
    for manifest in manifests:
        for name, value in noted(manifest, key).items():
            said.setdefault(name, []).append(value)
    return {name: values[0] for name, values in said.items() if all(value == values[0] for value in values)}


def _ended_oddly(manifest: Manifest) -> str:
    """A run whose exit status its scenarios do not explain says something that must not disappear in a merge."""
    status, name = manifest.get("exit_status"), manifest["run"]
    if status not in ENDED:
        return f"{name} ended with exit status {status}"
    explained = (
        bool(manifest.get("lacking"))
        or any(record.outcome != PASSED for record in records_of(manifest))
        or any(is_settled(one.reason) and gaps.has_failed(one.reason) for one in left_out_of(manifest))
    )
    return f"{name} ended with exit status 1, and all its scenarios passed" if status == 1 and not explained else ""


def _refuse_strangers(manifests: Sequence[Manifest]) -> None:
    if not manifests:
        raise UserInputError(ASKED_BY, "no run", "at least one run's folder", "name the runs")
    again = [name for name in (m["run"] for m in manifests) if [m["run"] for m in manifests].count(name) > 1]
    if again:
        raise UserInputError(ASKED_BY, f"{again[0]} twice", "each run once", "name each run once")
    for one, other in combinations(manifests, 2):
        wrong = [
            f"{what} is {a} in {one['run']} and {b} in {other['run']}" for what, a, b in _compared(one, other) if a != b
        ]
        if edited := code_digest.changed(noted(one, CODE), noted(other, CODE)):
            wrong.append(f"the code differs in {one['run']} and {other['run']}: {code_digest.told(edited)}")
        if wrong:
            raise UserInputError(
                ASKED_BY,
                "; ".join(wrong),
                "runs of the same stack, images, programs, configuration, profile, seed, code and version",
                "merge what belongs together; give all shards of a run the same --rmq-seed, and images of the same tags "
                "(one of your own is built once, and pulled by the others)",
            )


def _compared(first: Manifest, other: Manifest) -> list[tuple[str, object, object]]:
    def version(manifest: Manifest) -> object:
        versions = manifest.get("versions")
        return versions.get("pytest-rmqha") if isinstance(versions, Mapping) else None

    rows = [(name, setting(first, name), setting(other, name)) for name in SAME]
    rows.append(("the digest of the configuration", first.get(DIGEST), other.get(DIGEST)))
    said = {True: "noted", False: "not noted"}
    rows.append(("the digest of the code", said[CODE in first], said[CODE in other]))
    return [
        *rows,
        ("pytest-rmqha", version(first), version(other)),
        *ingredients.compared(first, other),
    ]
