"""The tables of docs/gate.md, between their two marks; everything outside of them is written by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.gate import judging
from tests.gate.harmless import HARMLESS
from tests.gate.judging import Result
from tests.gate.mutant import Mutant
from tests.gate.mutants import MUTANTS, NOT_FILES

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
NOT_RUN = "not run yet"
SHOWN = 160


def write(page: Path, results: Mapping[str, Result]) -> None:
    """Replaces what stands between the marks; ValueError if the page has lost them."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} … {END} to write the tables between")
    body = "\n".join(lines(results))
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def lines(results: Mapping[str, Result]) -> list[str]:
    return [*_sum(results), "", *_mutants(results), "", *_harmless(results), "", *_elsewhere()]


def _sum(results: Mapping[str, Result]) -> Iterator[str]:
    outcomes = Counter(results[m.id].outcome if m.id in results else NOT_RUN for m in MUTANTS)
    parts = [f"{count} {outcome}" for outcome, count in outcomes.most_common()]
    seen = sum(bool(results[m.id].preflight) for m in MUTANTS if m.id in results)
    yield f"{len(MUTANTS)} mutants: {', '.join(parts)}. The preflight named {seen} of them."
    unseen = [m.id for m in MUTANTS if m.id in results and results[m.id].preflight is False]
    caught = sum(results[name].outcome == judging.CAUGHT for name in unseen)
    yield ""
    yield f"Of {len(unseen)} that no look at the files sees, the gate caught {caught}."


def _mutants(results: Mapping[str, Result]) -> Iterator[str]:
    yield "| id | changed | bites | preflight | gate | seen by | measure, value, budget | s |"
    yield "|---|---|---|---|---|---|---|---|"
    for mutant in MUTANTS:
        result = results.get(mutant.id)
        if result is None:
            note = f"; expected: missed, {mutant.missed}" if mutant.missed else ""
            yield f"| {mutant.id} | {mutant.bad} | {mutant.bites} | | {NOT_RUN}{_cell(note)} | | | |"
            continue
        looked = {None: "–", True: "named it", False: "silent"}[result.preflight]
        yield (
            f"| {mutant.id} | {_cell(mutant.bad)} | {mutant.bites} | {looked} | {result.outcome} | {result.id} "
            f"| {_cell(_why(mutant, result))} | {result.seconds:.0f} |"
        )


def _why(mutant: Mutant, result: Result) -> str:
    if result.outcome == judging.MISSED:
        return mutant.missed or "nobody knows yet: a hole"
    return result.line[:SHOWN] or result.preflight_said[:SHOWN]


def _harmless(results: Mapping[str, Result]) -> Iterator[str]:
    yield "| harmless change | gate | asked | if not green | s |"
    yield "|---|---|---|---|---|"
    for change in HARMLESS:
        result = results.get(change.id)
        if result is None:
            yield f"| {change.what} | {NOT_RUN} | | | |"
        else:
            asked = " ".join(result.ran)
            yield f"| {change.what} | {result.outcome} | {asked} | {_cell(result.line[:SHOWN])} | {result.seconds:.0f} |"


def _elsewhere() -> Iterator[str]:
    yield "| not in the bench | why |"
    yield "|---|---|"
    yield from (f"| {ids} | {why} |" for ids, why in NOT_FILES.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
