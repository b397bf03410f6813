"""What becomes of a queue whose leader's node goes away, from the line, the queue's type and its *effective* policy."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.expectations.line import MIRRORING, NOTES_4_0, QUORUM, Expectation, Line

CLASSIC_QUEUES = "https://www.rabbitmq.com/docs/classic-queues"
QUEUES = "https://www.rabbitmq.com/docs/queues"
TYPES = ("classic", "quorum")
ENDS = ("crash", "shutdown")
PROMOTION_KEYS = ("ha-promote-on-shutdown", "ha-promote-on-failure")
PROMOTION_VALUES = ("always", "when-synced")


class QueueOutcome(StrEnum):
    ELECTED = "elected"
    PROMOTED = "promoted"
    PROMOTED_UNSYNCED = "promoted_unsynced"
    UNAVAILABLE = "unavailable"
    GONE = "gone"
    NO_MAJORITY = "no_majority"


MEANING: Mapping[QueueOutcome, str] = {
    QueueOutcome.ELECTED: "another member leads after a Raft election; nothing is lost",
    QueueOutcome.PROMOTED: "a mirror in sync leads; nothing is lost",
    QueueOutcome.PROMOTED_UNSYNCED: "a mirror that is not in sync leads; what it never got is lost",
    QueueOutcome.UNAVAILABLE: "nobody leads (404) until the home node is back, then all durable content is there",
    QueueOutcome.GONE: "the queue is deleted and may be declared elsewhere; its content is lost",
    QueueOutcome.NO_MAJORITY: "no leader can be elected: publishes are not confirmed until a majority is back",
}


def expect_promotion(
    line: Line,
    queue_type: str,
    policy: Mapping[str, object],
    *,
    ends: str = "crash",
    synced: bool = True,
    durable: bool = True,
    majority: bool = True,
) -> Expectation:
    """What follows when the leader's node ends by a ``crash`` or a ``shutdown``.

    ``policy``: the effective definition (``{}`` where no pattern matches). ``synced``: at least one mirror was in sync.
    ``majority``: a majority of a quorum queue's members is still up. ``ha-mode: nodes`` is taken to name at least one
    other live node. Where the queue has mirrors, one of them is taken to be alive.
    """
    _validate(queue_type, ends, policy)
    if queue_type == "quorum":
        if majority:
            return Expectation(QueueOutcome.ELECTED, "quorum queue with a majority of its members up", QUORUM)
        return Expectation(QueueOutcome.NO_MAJORITY, "quorum queue without a majority of its members", QUORUM)
    why = _unmirrored(line, policy)
    if why:
        source = NOTES_4_0 if "ha-mode" in policy and not line.has_mirrors else CLASSIC_QUEUES
        if durable:
            return Expectation(QueueOutcome.UNAVAILABLE, f"{why}: one copy, on the node that went away", source)
        return Expectation(QueueOutcome.GONE, f"{why}, and the queue is not durable", QUEUES)
    if synced:
        return Expectation(QueueOutcome.PROMOTED, "mirrored, with a mirror in sync", MIRRORING)
    return _unsynced(policy, ends)


def _unmirrored(line: Line, policy: Mapping[str, object]) -> str:
    """Why this classic queue has no mirrors; empty if it has."""
    mode = policy.get("ha-mode")
    if mode is None:
        return "no ha-mode in the effective policy"
    if not line.has_mirrors:
        return f"{line.name} ignores ha-mode"
    if mode == "exactly" and policy.get("ha-params") == 1:
        return "ha-mode exactly 1"
    return ""


def _unsynced(policy: Mapping[str, object], ends: str) -> Expectation:
    on_shutdown = policy.get("ha-promote-on-shutdown", "when-synced")
    on_failure = policy.get("ha-promote-on-failure", "always")
    if on_failure == "when-synced":
        reason = "no mirror in sync and ha-promote-on-failure is when-synced, which also overrides the shutdown key"
        return Expectation(QueueOutcome.UNAVAILABLE, reason, MIRRORING)
    if ends == "shutdown" and on_shutdown == "when-synced":
        reason = "no mirror in sync and ha-promote-on-shutdown is when-synced (the default)"
        return Expectation(QueueOutcome.UNAVAILABLE, reason, MIRRORING)
    key = "ha-promote-on-failure" if ends == "crash" else "ha-promote-on-shutdown"
    default = " (the default)" if key not in policy else ""
    return Expectation(QueueOutcome.PROMOTED_UNSYNCED, f"no mirror in sync and {key} is always{default}", MIRRORING)


def _validate(queue_type: str, ends: str, policy: Mapping[str, object]) -> None:
    if queue_type not in TYPES:
        raise UserInputError("queue type", queue_type, " or ".join(TYPES), "name one of these")
    if ends not in ENDS:
        remedy = "take crash for SIGKILL, shutdown for SIGTERM and stop_app"
        raise UserInputError("how the leader's node ends", ends, " or ".join(ENDS), remedy)
    for key in PROMOTION_KEYS:
        if policy.get(key, "always") not in PROMOTION_VALUES:
            raise UserInputError(f"policy key {key}", policy[key], " or ".join(PROMOTION_VALUES), "correct the policy")
