"""``--rmq-plan``: what would run, in order. Each play once, with the ids that it answers, its fault and its minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from pytest_rmqha.estimates import Estimate, Estimates, minutes
from pytest_rmqha.foreseen import on_line, sentence
from pytest_rmqha.markers import MARKS
from pytest_rmqha.plays import Play
from pytest_rmqha.settings import Settings


def plan_lines(plays: Sequence[Play], settings: Settings, estimates: Estimates) -> list[str]:
    """The whole plan but for what is left out."""
    costs = [estimates.of(play.name, play.nodeids, play.profile) for play in plays]
    lines: list[str] = []
    for number, (play, cost) in enumerate(zip(plays, costs, strict=True), 1):
        lines += _of_play(number, play, cost, settings)
    return [*lines, *total_lines(plays, costs, estimates.bring_up())] if plays else []


def _of_play(number: int, play: Play, cost: Estimate, settings: Settings) -> Iterator[str]:
    notes = [*dict.fromkeys(item.stash[MARKS].kind for item in play.items)]
    notes += dict.fromkeys(f"variant {v}" for item in play.items if (v := item.stash[MARKS].variant))
    notes += ["fresh cluster"] * any(item.stash[MARKS].fresh_cluster for item in play.items)
    yield f"{number:>3} {' '.join(play.ids)}  {'; '.join(notes)}; {minutes(cost.seconds)} ({cost.source})  {play.name}"
    for name, does in play.faults:
        yield f"    fault: {name.replace('_', ' ').strip()}" + (f": {does}" if does else "")
    if not play.faults:
        yield "    fault: none is named in its code"
    for item in play.items:
        yield from _of_test(item, settings)


def _of_test(item: pytest.Item, settings: Settings) -> Iterator[str]:
    for scenario in item.stash[MARKS].scenarios:
        yield f"    {scenario.id:<4} {scenario.title}"
        if settings.is_reference:
            for line in on_line(scenario.id, settings.version):
                yield f"         on {settings.version}, {line}"
    yield f"         to be seen: {sentence(item.nodeid)}"


def total_lines(plays: Sequence[Play], costs: Sequence[Estimate], bring_up: Estimate) -> list[str]:
    """The minutes of everything, and what that number rests on."""
    tests = sum(len(play.items) for play in plays)
    total = minutes(sum(cost.seconds for cost in costs) + bring_up.seconds)
    rests = ", ".join(f"{many} {source}" for source, many in Counter(cost.source for cost in costs).most_common())
    up = f"bring-up {minutes(bring_up.seconds)} ({bring_up.source})"
    return [f"in all about {total}: {tests} tests in {len(plays)} plays, {up}; plays by source: {rests}"]
