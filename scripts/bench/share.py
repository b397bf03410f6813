"""Whose time a run is: what the timeline labels as waiting for the stack is the stack's, all the rest is ours.

``scripts/bench/share.py RUNFOLDER`` prints it. The stack's: brokers that boot, a fault's hold (detection and election are
in it), a fault going away, steady state, messages that a dead session holds. Everything that has no such label is ours,
a wait of a scenario that nobody put on the timeline included: an upper bound. Limit: the acts of injecting and healing
have a line of their own and are counted as the stack's, because a broker that stops takes seconds; nft's half second too.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

LISTED, WATCHED = 5, ("backend", "vip", "client", "leader", "peer")
HOLD, ACT, MOST = "a fault in effect", "a fault being injected or healed", 15.0
BOOT, GONE, STEADY, HELD, RESTART, SHOWN = (
    "brokers boot",
    "a fault going away",
    "steady state",
    "messages that dead sessions hold",
    "restarts for a variant",
    "waits that a scenario names",
)
OURS_OF_BRING_UP = ("create containers", "link proxies", "queues of the configuration")
LABELS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^bring-up: steady state$|^steady state"), STEADY),
    (re.compile(r"^bring-up: (?!" + "|".join(OURS_OF_BRING_UP) + r")"), BOOT),
    (re.compile(r"” gone$"), GONE),
    (re.compile(r"” in effect$"), HOLD),
    (re.compile(r"^messages that a dead session holds$"), HELD),
    (re.compile(r"^restart of "), RESTART),
)
BEFORE, BRING_UP, BETWEEN, INSIDE, AFTER = (
    "before the stack is made",
    "our part of the bring-up",
    "between scenarios",
    "in scenarios, beside any wait",
    "after the last scenario",
)


@dataclass(frozen=True)
class Stretch:
    """From ``start`` to ``end`` (monotonic seconds), and what it is."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Share:
    """Seconds by label; each moment is counted once. ``longest``: stretches of ours, ``label`` naming what began them."""

    wall: float
    stack: Mapping[str, float]
    ours: Mapping[str, float]
    longest: tuple[Stretch, ...] = ()

    @property
    def percent(self) -> float:
        return 100 * sum(self.ours.values()) / self.wall if self.wall else 0.0

    def lines(self) -> list[str]:
        found = [
            f"wall time {self.wall:.1f} s, ours {sum(self.ours.values()):.1f} s: {self.percent:.1f} %, at most {MOST:.0f} %"
        ]
        for whose, parts in (("the stack's", self.stack), ("ours", self.ours)):
            found += [
                f"  {whose:<12} {took:8.1f} s  {label}" for label, took in sorted(parts.items(), key=lambda p: -p[1])
            ]
        return found + [f"  a stretch of {s.end - s.start:.1f} s of ours after {s.label}" for s in self.longest]


def of_run(folder: Path) -> Share:
    """ValueError when the run has no end, or no timeline: a share of nothing is no number."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    lines = (folder / "timeline.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.strip()]
    if not events:
        raise ValueError(f"{folder}: the timeline is empty")
    if manifest.get("unfinished") or not manifest.get("finished"):
        raise ValueError(f"{folder}: the run has no end")
    to_monotonic = float(events[0]["at"]) - _utc(events[0]["utc"])
    began, ended = (_utc(manifest[name]) + to_monotonic for name in ("started", "finished"))
    return share(events, began, ended)


def share(events: Sequence[Mapping[str, Any]], began: float, ended: float) -> Share:
    """``events`` as timeline.jsonl has them, in the order of time; the run from ``began`` to ``ended`` (monotonic)."""
    waits, where = waits_for_the_stack(events, ended), places(events, began, ended)
    moments = sorted({began, ended, *(t for s in (*waits, *where) for t in (s.start, s.end) if began < t < ended)})
    stack: dict[str, float] = defaultdict(float)
    ours: dict[str, float] = defaultdict(float)
    mine: list[tuple[float, float]] = []
    for start, end in pairwise(moments):
        middle = (start + end) / 2
        label = next((w.label for w in waits if w.start <= middle < w.end), None)
        if label is not None:
            stack[label] += end - start
        else:
            ours[next((p.label for p in where if p.start <= middle < p.end), INSIDE)] += end - start
            joined = mine.pop()[0] if mine and mine[-1][1] == start else start
            mine.append((joined, end))
    longest = sorted(mine, key=lambda s: s[0] - s[1])[:LISTED]
    return Share(ended - began, dict(stack), dict(ours), tuple(Stretch(a, b, _told(events, a)) for a, b in longest))


def _told(events: Sequence[Mapping[str, Any]], at: float) -> str:
    """The last event of ours up to a moment, in words."""
    last = [e for e in events if float(e["at"]) <= at + 1e-6 and str(e["kind"]) not in WATCHED]
    return f"{last[-1]['kind']} {str(last[-1]['subject'])[:80]}" if last else "the beginning"


def waits_for_the_stack(events: Sequence[Mapping[str, Any]], ended: float) -> list[Stretch]:
    """Named waits first, then acts, then holds: a moment of several is told by the first. Open ones last to the end."""
    found: list[Stretch] = []
    acts: list[Stretch] = []
    holds: list[Stretch] = []
    waiting: dict[tuple[object, str], float] = {}
    injected: dict[str, list[float]] = defaultdict(list)
    for event in events:
        kind, subject, at = str(event["kind"]), str(event["subject"]), float(event["at"])
        data = event.get("data") or {}
        key = data.get("wait", subject)
        if kind == "wait.begin":
            waiting[key, subject] = at
        elif kind == "wait.end" and (key, subject) in waiting:
            found += _wait(subject, waiting.pop((key, subject)), at)
        elif kind in ("fault.injected", "fault.healed"):
            acts.append(Stretch(at, at + float(data.get("took", 0)), ACT))
            if kind == "fault.injected":
                injected[subject].append(at)
            elif injected[subject]:
                holds.append(Stretch(injected[subject].pop(), at, HOLD))
    for (_, subject), at in waiting.items():
        found += _wait(subject, at, ended)
    holds += [Stretch(at, ended, HOLD) for begun in injected.values() for at in begun]
    return [*found, *acts, *holds]


def _wait(subject: str, start: float, end: float) -> list[Stretch]:
    """None where the wait is ours: our own steps of the bring-up."""
    if subject.removeprefix("bring-up: ") in OURS_OF_BRING_UP:
        return []
    label = next((label for pattern, label in LABELS if pattern.search(subject)), SHOWN)
    return [Stretch(start, end, label)]


def places(events: Sequence[Mapping[str, Any]], began: float, ended: float) -> list[Stretch]:
    """Where in the run a moment is, for what is ours."""
    found: list[Stretch] = []
    at, label = began, BEFORE
    for event in events:
        kind, moment = str(event["kind"]), float(event["at"])
        bring_up = kind == "wait.begin" and str(event["subject"]).startswith("bring-up: ")
        following = {"scenario.begin": INSIDE, "scenario.end": BETWEEN}.get(kind, BRING_UP if bring_up else None)
        if following is not None and following != label:
            found.append(Stretch(at, moment, label))
            at, label = moment, following
    return [*found, Stretch(at, ended, AFTER if label == BETWEEN else label)]


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def main(folder: str) -> int:
    """0 when our share is within its target, 1 when it is not, 2 when there is nothing to tell."""
    try:
        found = of_run(Path(folder))
    except (OSError, ValueError, KeyError) as error:
        print(f"share: {error}", file=sys.stderr)
        return 2
    print("\n".join(found.lines()))
    return 0 if found.percent <= MOST else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: scripts/bench/share.py RUNFOLDER")
    sys.exit(main(sys.argv[1]))
