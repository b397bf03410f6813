"""Log lines that no scenario's fault explains: looked for in every member's log after each scenario.

A program that died by itself and was started again is up when anybody looks; its log is the only witness. Idea: the
audits of Pacemaker's CTS and the log allow-list of Redpanda's ducktape tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SHOWN, LONGEST = 3, 200

UNEXPECTED: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "broker": (
        re.compile(r"start-broker: the broker ended with \d+ by itself"),
        re.compile(r"[Cc]rash dump is being written|eheap_alloc: Cannot allocate"),
        re.compile(r"Segmentation fault|core dumped"),
    ),
    "balancer": (
        # keepalived's parent reports its children (report_child_status, log_child_died in lib/); haproxy's master its
        # workers, for whom 130 and 143 are an ordinary stop (src/mworker.c).
        re.compile(r"Keepalived\w* exited (with|due to)|child process\(\d+\) died: Respawning"),
        re.compile(r"exit-on-failure: killing every process|worker .*exited with code (?!0 |130 |143 )\d+"),
        re.compile(r"[Ss]egmentation fault|core dumped"),
    ),
}


@dataclass(frozen=True)
class AllowedLog:
    """A log line that a scenario causes on purpose, and why it does."""

    pattern: re.Pattern[str]
    reason: str


def unexpected(role: str, text: str, allowed: Iterable[AllowedLog] = ()) -> tuple[str, ...]:
    """Lines of a member's log that are in nobody's plan; ``role`` is "broker" or "balancer", others have none."""
    excused = [one.pattern for one in allowed]
    return tuple(
        line.strip()[:LONGEST]
        for line in text.splitlines()
        if any(pattern.search(line) for pattern in UNEXPECTED.get(role, ()))
        and not any(pattern.search(line) for pattern in excused)
    )


def told(member: str, lines: Sequence[str]) -> str:
    """One sentence about a member's unexpected lines; bounded."""
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"{member}'s log: {' | '.join(lines[:SHOWN])}{more}"
