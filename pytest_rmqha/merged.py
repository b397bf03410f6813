"""Several runs as one: the shards of a run, and a run with those that resumed it. Pure: manifests in, a manifest out.

The worst verdict of a test stands: one FAILED is not taken back by a later pass. What had no verdict in one run gives way
to what another saw. What no run has, and should have, is named, and the whole is red for it.

A test that ``-k``, ``-m`` or ``--deselect`` left out is lacking like any other, unless all runs were given the very same
choice: they collected the same tests and left out the same. Then the whole is what was chosen, as one run with that
choice would be: green without the test, and listed with its reason. Runs that chose differently were to make one whole
between them, and what none of them chose is a hole in it. Limit: a test that no run has even collected is known to none.

Machines that build the same image give it different ids, so the tags of images are compared: ours end with a digest of
what they are built from. Any other tag may stand for something else on the next machine: there the ids count, too. What
ran inside is compared by the programs' own versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from pytest_rmqha import code_digest
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.resumption import CODE, DIGEST, SAME, is_settled
from pytest_rmqha.runs import Manifest, left_out_of, records_of, setting
from pytest_rmqha.selection import NOT_CHOSEN
from pytest_rmqha.session_report import FAILED, PASSED, WORST_FIRST, LeftOut, ScenarioRecord
from pytest_rmqha.shards import is_elsewhere, missing

ASKED_BY = "rmqha report merge"
IMAGES, TAGS, STACK = "images", "image_tags", "stack"
PROGRAMS = ("rabbitmq", "erlang", "haproxy", "keepalived", "toxiproxy")
TAG_OF_OURS = re.compile(r"rmqha/[a-z]+:\S+-[0-9a-f]{12}")
ENDED = (None, 0, 1, 2, 5)


def merge(manifests: Sequence[Manifest], name: str) -> dict[str, Any]:
    """One manifest, called ``name``. ``lacking`` holds a sentence for each gap; ``exit_status`` is 1 if it is not green.

    UserInputError when the runs are not of one thing: other settings, configuration, seed, code, version, images or programs.
    """
    _refuse_strangers(manifests)
    stacks = _by_stack(manifests)
    seen = {stack: settled(record for m in of_it for record in records_of(m)) for stack, of_it in stacks.items()}
    records = worst(record for of_it in seen.values() for record in of_it)
    there = {record.nodeid for record in records}
    names = [str(manifest["run"]) for manifest in manifests]
    left_out, lost = _left_out(manifests, there, names)
    not_reached = {
        nodeid
        for stack, of_it in stacks.items()
        for nodeid in {n for m in of_it for n in m.get("not_reached", ())} - {record.nodeid for record in seen[stack]}
    }
    lacking = missing([manifest["shard"] for manifest in manifests if manifest.get("shard")])
    lacking += [f"no run reached {nodeid}" for nodeid in sorted(not_reached)]
    lacking += lost + [text for manifest in manifests if (text := _ended_oddly(manifest))]
    first = manifests[0]
    green = bool(records) and not lacking and all(record.outcome == PASSED for record in records)
    return {
        **{key: value for key, value in first.items() if key not in ("not_reached", "unfinished", "shard")},
        **{key: known for key in (CODE, IMAGES, TAGS, STACK) if (known := _together(manifests, key))},
        "run": name,
        "merged": names,
        "started": min(str(manifest.get("started", "")) for manifest in manifests),
        "finished": max(str(manifest.get("finished") or "") for manifest in manifests),
        "exit_status": 0 if green else 1,
        "again": "; ".join(str(manifest.get("again", "")) for manifest in manifests),
        "scenarios": [asdict(record) for record in records],
        "left_out": [asdict(one) for one in left_out],
        "not_reached": sorted(not_reached),
        "lacking": lacking,
    }


def _by_stack(manifests: Sequence[Manifest]) -> dict[object, list[Manifest]]:
    """Shard -> its runs, the one that was resumed and those that went on; None is the shard of a run that has none."""
    found: dict[object, list[Manifest]] = {}
    for manifest in manifests:
        found.setdefault((manifest.get("shard") or {}).get("index"), []).append(manifest)
    return found


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


def _left_out(manifests: Sequence[Manifest], there: set[str], names: Sequence[str]) -> tuple[list[LeftOut], list[str]]:
    """(what is left out of the whole, and sentences about what one of the runs promised that another had)"""
    reasons: dict[str, list[LeftOut]] = {}
    for manifest in manifests:
        for one in left_out_of(manifest):
            reasons.setdefault(one.nodeid, []).append(one)
    kept: list[LeftOut] = []
    lost: list[str] = []
    are_chosen_alike = len({_choice(manifest) for manifest in manifests}) == 1
    for nodeid, said in reasons.items():
        if nodeid in there:
            continue
        own = [one for one in said if _is_own(one.reason) and (are_chosen_alike or one.reason != NOT_CHOSEN)]
        promised = next((one for one in said if is_settled(one.reason) not in (None, *names)), None)
        if promised is not None:
            lost.append(f"{nodeid}: {promised.reason}, which is not among the runs")
        elif not own:
            lost.append(f"{nodeid}: {said[0].reason}, and no run has it")
        kept.append(promised or (own or said)[0])
    return kept, lost


def _is_own(reason: str) -> bool:
    """A reason that lies in the test and its stack, and not in what another run has."""
    return not is_elsewhere(reason) and is_settled(reason) is None


def _choice(manifest: Manifest) -> tuple[frozenset[str], frozenset[str]]:
    """(all that it collected, what of it was not chosen), as node ids: alike where paths, ``-k`` and ``-m`` were."""
    left_out = left_out_of(manifest)
    collected = {record.nodeid for record in records_of(manifest)} | {one.nodeid for one in left_out}
    not_chosen = frozenset(one.nodeid for one in left_out if one.reason == NOT_CHOSEN)
    return frozenset(collected | set(manifest.get("not_reached", ()))), not_chosen


def _together(manifests: Sequence[Manifest], key: str) -> dict[str, object]:
    """What they have noted under a key, as far as those that speak of the same say the same."""
    said: dict[str, list[object]] = {}
    for manifest in manifests:
        for name, value in _noted(manifest, key).items():
            said.setdefault(name, []).append(value)
    return {name: values[0] for name, values in said.items() if all(value == values[0] for value in values)}


def _noted(manifest: Manifest, key: str) -> Mapping[str, Any]:
    found = manifest.get(key)
    return found if isinstance(found, Mapping) else {}


def _ended_oddly(manifest: Manifest) -> str:
    """A run whose exit status its scenarios do not explain says something that must not disappear in a merge."""
    status, name = manifest.get("exit_status"), manifest["run"]
    if status not in ENDED:
        return f"{name} ended with exit status {status}"
    explained = any(record.outcome != PASSED for record in records_of(manifest)) or any(
        is_settled(one.reason) and one.reason.startswith(FAILED.upper()) for one in left_out_of(manifest)
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
        if edited := code_digest.changed(_noted(one, CODE), _noted(other, CODE)):
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
        *_compared_images(first, other),
        *_compared_programs(first, other),
    ]


def _compared_images(first: Manifest, other: Manifest) -> list[tuple[str, object, object]]:
    """Tags of the members that both had, and the ids where a tag does not name its content; those alike in one row.

    A run without any had no stack that stood: it has no verdict that could be of another one.
    """
    here, there = _noted(first, TAGS), _noted(other, TAGS)
    ids_here, ids_there = _noted(first, IMAGES), _noted(other, IMAGES)
    said = {True: "noted", False: "not noted"}
    rows = [("the tags of the images", said[bool(here)], said[bool(there)])] if ids_here and ids_there else []
    members: dict[tuple[str, object, object], list[str]] = {}
    for service in sorted(here.keys() & there.keys()):
        members.setdefault(("the image", here[service], there[service]), []).append(service)
    for service in sorted(ids_here.keys() & ids_there.keys()):
        if not all(TAG_OF_OURS.fullmatch(str(tags.get(service, ""))) for tags in (here, there)):
            members.setdefault(("the image id", ids_here[service], ids_there[service]), []).append(service)
    return rows + [(f"{what} of {', '.join(names)}", a, b) for (what, a, b), names in members.items()]


def _compared_programs(first: Manifest, other: Manifest) -> list[tuple[str, object, object]]:
    """Versions that the programs of both stacks told of themselves."""
    here, there = _noted(first, STACK), _noted(other, STACK)
    return [(name, here[name], there[name]) for name in PROGRAMS if name in here and name in there]
