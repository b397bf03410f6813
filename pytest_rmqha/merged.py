"""Several runs as one: the shards of a run, and a run with those that resumed it. Pure: manifests in, a manifest out.

The worst verdict of a test stands: one FAILED is not taken back by a later pass. What had no verdict in one run gives way
to what another saw. What no run has, and should have, is named, and the whole is red for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.resumption import DIGEST, SAME, is_settled
from pytest_rmqha.runs import Manifest, left_out_of, records_of, setting
from pytest_rmqha.session_report import FAILED, PASSED, LeftOut, ScenarioRecord
from pytest_rmqha.shards import is_elsewhere, missing

ASKED_BY = "rmqha report merge"
ENDED = (None, 0, 1, 2, 5)


def merge(manifests: Sequence[Manifest], name: str) -> dict[str, Any]:
    """One manifest, called ``name``. ``lacking`` holds a sentence for each gap; ``exit_status`` is 1 if it is not green.

    UserInputError when the runs are not of one thing: other settings, configuration, seed or version.
    """
    _refuse_strangers(manifests)
    records = settled(record for manifest in manifests for record in records_of(manifest))
    there = {record.nodeid for record in records}
    names = [str(manifest["run"]) for manifest in manifests]
    left_out, lost = _left_out(manifests, there, names)
    not_reached = {n for m in manifests for n in m.get("not_reached", ())} - there
    lacking = missing([manifest["shard"] for manifest in manifests if manifest.get("shard")])
    lacking += [f"no run reached {nodeid}" for nodeid in sorted(not_reached)]
    lacking += lost + [text for manifest in manifests if (text := _ended_oddly(manifest))]
    first = manifests[0]
    green = bool(records) and not lacking and all(record.outcome == PASSED for record in records)
    return {
        **{key: value for key, value in first.items() if key not in ("not_reached", "unfinished", "shard")},
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


def settled(records: Iterable[ScenarioRecord]) -> list[ScenarioRecord]:
    """One record a test: a failed one if there is any, else one that passed, else the last."""
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
    for nodeid, said in reasons.items():
        if nodeid in there:
            continue
        own = [one for one in said if not is_elsewhere(one.reason) and is_settled(one.reason) is None]
        promised = next((one for one in said if is_settled(one.reason) not in (None, *names)), None)
        if promised is not None:
            lost.append(f"{nodeid}: {promised.reason}, which is not among the runs")
        elif not own:
            lost.append(f"{nodeid}: {said[0].reason}, and no run has it")
        kept.append(promised or (own or said)[0])
    return kept, lost


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
    first = manifests[0]
    again = [name for name in (m["run"] for m in manifests) if [m["run"] for m in manifests].count(name) > 1]
    if again:
        raise UserInputError(ASKED_BY, f"{again[0]} twice", "each run once", "name each run once")
    for other in manifests[1:]:
        wrong = [
            f"{what} is {a} in {first['run']} and {b} in {other['run']}"
            for what, a, b in _compared(first, other)
            if a != b
        ]
        if wrong:
            raise UserInputError(
                ASKED_BY,
                "; ".join(wrong),
                "runs of the same stack, configuration, profile, seed and version",
                "merge what belongs together; give all shards of a run the same --rmq-seed",
            )


def _compared(first: Manifest, other: Manifest) -> list[tuple[str, object, object]]:
    def version(manifest: Manifest) -> object:
        versions = manifest.get("versions")
        return versions.get("pytest-rmqha") if isinstance(versions, Mapping) else None

    rows = [(name, setting(first, name), setting(other, name)) for name in SAME]
    rows.append(("the digest of the configuration", first.get(DIGEST), other.get(DIGEST)))
    return [*rows, ("pytest-rmqha", version(first), version(other))]
