"""What a node does while it is cut off, from the line, the partition strategy and the node's position."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.expectations.line import NOTES_4_3, PARTITIONS, Expectation, Line

STRATEGIES = ("ignore", "pause_minority", "pause_if_all_down", "autoheal")
POSITIONS = ("minority", "half", "majority")
NO_PAUSE_ON_KHEPRI = "https://www.rabbitmq.com/docs/metadata-store"


class PartitionOutcome(StrEnum):
    SPLITS = "splits"
    PAUSES = "pauses"
    SERVES = "serves"
    SERVES_UNTIL_HEALED = "serves_until_healed"
    WITHOUT_MAJORITY = "without_majority"
    PARTIAL_BECOMES_FULL = "partial_becomes_full"


MEANING: Mapping[PartitionOutcome, str] = {
    PartitionOutcome.SPLITS: "serves on, each side with its own leaders; still divided after healing, until a restart",
    PartitionOutcome.PAUSES: "stops its listeners and waits; comes back by itself after healing",
    PartitionOutcome.SERVES: "serves on, as the side that counts",
    PartitionOutcome.SERVES_UNTIL_HEALED: "serves on; after healing the losing side restarts and loses its own writes",
    PartitionOutcome.WITHOUT_MAJORITY: "stays up with open listeners; quorum queues and metadata changes stand still",
    PartitionOutcome.PARTIAL_BECOMES_FULL: "a partial partition is upgraded to a full one, then as the strategy says",
}


def expect_partition(line: Line, strategy: str, position: str, *, sees_listed: bool = True) -> Expectation:
    """What a node in a full partition does, once the partition is noticed (a silent one: after the tick time).

    ``position``: its side is a minority, exactly half or a majority of the *cluster*. ``sees_listed``: under
    ``pause_if_all_down``, a listed node is up on its side. Not for a suspended node: nothing helps against that.
    """
    _validate(strategy, position)
    if not line.has_partition_strategies:
        return _khepri(line, strategy, position)
    if strategy == "ignore":
        return Expectation(PartitionOutcome.SPLITS, "ignore: nobody acts on the partition", PARTITIONS)
    if strategy == "autoheal":
        reason = "autoheal acts when the partition ends; most client connections win, then most nodes"
        return Expectation(PartitionOutcome.SERVES_UNTIL_HEALED, reason, PARTITIONS)
    if strategy == "pause_minority":
        if position == "majority":
            return Expectation(PartitionOutcome.SERVES, "pause_minority: more than half is on its side", PARTITIONS)
        return Expectation(PartitionOutcome.PAUSES, f"pause_minority: a {position} is not more than half", PARTITIONS)
    if sees_listed:
        return Expectation(PartitionOutcome.SERVES, "pause_if_all_down: a listed node is up on its side", PARTITIONS)
    return Expectation(PartitionOutcome.PAUSES, "pause_if_all_down: no listed node can be reached", PARTITIONS)


def expect_partial_partition(line: Line, strategy: str) -> Expectation:
    """What the *two* nodes do that don't reach each other while both reach the rest."""
    _validate(strategy, "minority")
    if not line.has_partition_strategies:
        reason = f"{line}: each of the two still reaches a majority; leaders may move"
        return Expectation(PartitionOutcome.SERVES, reason, NO_PAUSE_ON_KHEPRI)
    if strategy == "pause_minority":
        reason = "pause_minority: both of the two pause, the rest stays and may be too small for quorum queues"
        return Expectation(PartitionOutcome.PAUSES, reason, f"{PARTITIONS}; measured on 3.10.8")
    reason = f"{strategy}: a partial partition is made a full one"
    return Expectation(PartitionOutcome.PARTIAL_BECOMES_FULL, reason, PARTITIONS)


def _khepri(line: Line, strategy: str, position: str) -> Expectation:
    source = NOTES_4_3 if line.name == "4.3" else NO_PAUSE_ON_KHEPRI
    if position == "majority":
        reason = f"{line}: {strategy} has no effect, and its side has the majority"
        return Expectation(PartitionOutcome.SERVES, reason, source)
    reason = f"{line}: {strategy} has no effect; a {position} keeps its listeners and gets no majority"
    if strategy == "pause_minority" and line.withholds_confirms_in_minority:
        reason += "; confirms are withheld for classic queues too (inferred, to be calibrated)"
    return Expectation(PartitionOutcome.WITHOUT_MAJORITY, reason, source)


def _validate(strategy: str, position: str) -> None:
    if strategy not in STRATEGIES:
        raise UserInputError("cluster_partition_handling", strategy, ", ".join(STRATEGIES), "correct rabbitmq.conf")
    if position not in POSITIONS:
        raise UserInputError("position in the partition", position, ", ".join(POSITIONS), "name the node's own side")
