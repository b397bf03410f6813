"""Log lines that no scenario's fault explains: looked for in every member's log after each scenario.

A program that died by itself and was started again is up when anybody looks; its log is the only witness. Idea: the
audits of Pacemaker's CTS and the log allow-list of Redpanda's ducktape tests.

What a broker says as it ends by itself carries the cause that its own log gives, where that is a known one, and how often the
scenario has seen it of this broker: `` (boot failed: incompatible_feature_flags, time 1)``. An excuse can ask for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

SHOWN, LONGEST = 3, 240
ENDED = re.compile(r"start-broker: the broker ended with \d+ by itself")
DUMPED = re.compile(r"[Cc]rash dump is being written")
CAUSES = ("incompatible_feature_flags",)
"""Known causes of a failed boot, as the Erlang term begins with them: ``Error during startup: {error, {CAUSE, …``."""

UNEXPECTED: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "broker": (
        ENDED,
        DUMPED,
        re.compile(r"eheap_alloc: Cannot allocate"),
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

_DECLINED = r"declining vote for %s for term \d+,\s+candidate last log index term was: %s"
_DECLINED_AGAIN = _DECLINED % (r"\1", r"\2")

DIAGNOSES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"Global hang workaround: global state on \S+ seems broken"),
        (
            "Erlang's global did not agree on this node's return and its boot hangs (rabbitmq-server 6034: before 3.10.9 the "
            "broker's own way out does not work on Erlang 25.1 and later)"
        ),
    ),
    (
        re.compile(r"\{incompatible_feature_flags"),
        "it asked a peer that booted at the same moment for its feature flags and ended",
    ),
    (
        re.compile(r"Stopping all nodes on master shutdown since no synchronised mirror"),
        (
            "a leader of a mirrored queue shut down without a mirror in sync, which can stop the queue on every node, also on one "
            "that was promoted meanwhile (ha-promote-on-shutdown when-synced)"
        ),
    ),
    (
        re.compile(_DECLINED % (r"(\S+)", r"(\{\d+,\d+\})") + rf"(?:(?s:.)*?{_DECLINED_AGAIN}){{4}}"),
        (
            "it declined the vote for one candidate with the same, shorter log five times and more: a quorum queue without a "
            "leader (Ra issue 439, mended in Ra 2.11, so in RabbitMQ 3.13)"
        ),
    ),
)
"""Known troubles of a boot or a pause: what a broker's log says, and what it means. They explain a red, and excuse none."""
KNOWN = "Known to the field"
"""So begins what a red says of them."""


@dataclass(frozen=True)
class AllowedLog:
    """A log line that a scenario causes on purpose, and why it does. The pattern sees what is added of an end's cause, too."""

    pattern: re.Pattern[str]
    reason: str


def unexpected(role: str, text: str, allowed: Iterable[AllowedLog] = ()) -> tuple[str, ...]:
    """Lines of a member's log that are in nobody's plan; ``role`` is "broker" or "balancer", others have none."""
    excused = [one.pattern for one in allowed]
    return tuple(
        line.strip()[:LONGEST]
        for line in _with_causes(text.splitlines())
        if any(pattern.search(line) for pattern in UNEXPECTED.get(role, ()))
        and not any(pattern.search(line) for pattern in excused)
    )


def diagnoses(text: str) -> tuple[str, ...]:
    """What is known to the field about lines of a broker's log, each once."""
    return tuple(meaning for pattern, meaning in DIAGNOSES if pattern.search(text))


def _with_causes(lines: Iterable[str]) -> Iterator[str]:
    """The same lines; each end by itself, and the crash dump before it, with its cause: said since the end before it."""
    times = dict.fromkeys(CAUSES, 0)
    life: list[str] = []
    for line in lines:
        life.append(line)
        if ENDED.search(line):
            cause = next((one for one in CAUSES if any(f"{{{one}" in said for said in life)), None)
            if cause is not None:
                times[cause] += 1
                note = f" (boot failed: {cause}, time {times[cause]})"
                life = [said + note if ENDED.search(said) or DUMPED.search(said) else said for said in life]
            yield from life
            life = []
    yield from life


def told(member: str, lines: Sequence[str]) -> str:
    """One sentence about a member's unexpected lines; bounded."""
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"{member}'s log: {' | '.join(lines[:SHOWN])}{more}"
