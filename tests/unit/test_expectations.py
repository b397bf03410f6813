"""What each line must do. Each row is one sentence of the catalogue's constants or of a cited document."""

from __future__ import annotations

import pytest

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.expectations import (
    Line,
    PartitionOutcome,
    QueueOutcome,
    expect_partial_partition,
    expect_partition,
    expect_promotion,
)
from pytest_rmqha.expectations import partitions as partition_facts
from pytest_rmqha.expectations import queues as queue_facts
from pytest_rmqha.expectations.line import LINES

ALL = {"ha-mode": "all"}


@pytest.mark.parametrize(
    ("line", "mirrors", "ram", "store", "limit", "strategies"),
    [
        ("3.8", True, True, "mnesia", None, True),
        ("3.10", True, True, "mnesia", None, True),
        ("3.13", True, True, "mnesia", None, True),
        ("4.0", False, True, "mnesia", 20, True),
        ("4.3", False, False, "khepri", 20, False),
    ],
)
def test_the_lines(line: str, mirrors: bool, ram: bool, store: str, limit: int | None, strategies: bool) -> None:
    found = Line(line)

    assert (found.has_mirrors, found.has_ram_nodes, found.store) == (mirrors, ram, store)
    assert (found.delivery_limit, found.has_partition_strategies) == (limit, strategies)
    assert found.metadata_needs_majority is (store == "khepri")


def test_every_fact_of_every_line_has_a_source() -> None:
    for name in LINES:
        for fact, found in Line(name).facts.items():
            assert found.source.startswith(("https://", "inferred")), (name, fact)


def test_a_full_version_is_of_its_line() -> None:
    assert Line("3.10.8").name == "3.10"
    assert str(Line("4.0.5")) == "4.0 (mnesia)"


def test_khepri_is_a_choice_from_4_0_to_4_2_and_takes_ram_nodes_and_strategies_away() -> None:
    opted_in = Line("4.0", "khepri")

    assert (opted_in.has_ram_nodes, opted_in.has_partition_strategies, opted_in.metadata_needs_majority) == (
        False,
        False,
        True,
    )
    assert opted_in.withholds_confirms_in_minority
    assert not Line("4.3").withholds_confirms_in_minority
    assert Line("4.2").store == "khepri"
    assert Line("4.2", "mnesia").has_partition_strategies


@pytest.mark.parametrize(
    ("version", "store", "message"),
    [
        ("4.9", "", "RabbitMQ version: got 4.9; expected one of the lines 3.8, "),
        ("latest", "", "RabbitMQ version: got latest"),
        ("3.13", "khepri", "metadata store of RabbitMQ 3.13: got khepri; expected mnesia"),
        ("4.3", "mnesia", "expected khepri. To do: leave it out to take the default."),
    ],
)
def test_an_unknown_line_or_store_is_refused(version: str, store: str, message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        Line(version, store)


@pytest.mark.parametrize(
    ("policy", "ends", "outcome"),
    [
        (ALL, "crash", QueueOutcome.PROMOTED_UNSYNCED),
        (ALL, "shutdown", QueueOutcome.UNAVAILABLE),
        ({**ALL, "ha-promote-on-failure": "when-synced"}, "crash", QueueOutcome.UNAVAILABLE),
        ({**ALL, "ha-promote-on-shutdown": "always"}, "shutdown", QueueOutcome.PROMOTED_UNSYNCED),
        (
            {**ALL, "ha-promote-on-shutdown": "always", "ha-promote-on-failure": "when-synced"},
            "shutdown",
            QueueOutcome.UNAVAILABLE,
        ),
    ],
)
def test_unsynced_mirrors_follow_the_keys(policy: dict[str, object], ends: str, outcome: QueueOutcome) -> None:
    assert expect_promotion(Line("3.10"), "classic", policy, ends=ends, synced=False).outcome == outcome
    assert expect_promotion(Line("3.10"), "classic", policy, ends=ends, synced=True).outcome == QueueOutcome.PROMOTED


@pytest.mark.parametrize("policy", [{}, {"ha-mode": "exactly", "ha-params": 1}, {"max-length": 5}])
def test_a_queue_without_mirrors_waits_for_its_home_or_is_gone(policy: dict[str, object]) -> None:
    line = Line("3.10")

    assert expect_promotion(line, "classic", policy).outcome == QueueOutcome.UNAVAILABLE
    assert expect_promotion(line, "classic", policy, durable=False).outcome == QueueOutcome.GONE


def test_mirroring_policies_mean_nothing_from_4_0() -> None:
    expected = expect_promotion(Line("4.0"), "classic", ALL)

    assert expected.outcome == QueueOutcome.UNAVAILABLE
    assert expected.reason == "4.0 ignores ha-mode: one copy, on the node that went away"
    assert expected.source.endswith("4.0.1.md")


@pytest.mark.parametrize("line", LINES)
def test_quorum_queues_elect_while_they_have_a_majority(line: str) -> None:
    assert expect_promotion(Line(line), "quorum", {}).outcome == QueueOutcome.ELECTED
    assert expect_promotion(Line(line), "quorum", ALL, majority=False).outcome == QueueOutcome.NO_MAJORITY


def test_what_is_not_known_about_queues_is_refused() -> None:
    with pytest.raises(UserInputError, match="queue type: got stream; expected classic or quorum"):
        expect_promotion(Line("3.10"), "stream", {})
    with pytest.raises(UserInputError, match="got SIGKILL; expected crash or shutdown"):
        expect_promotion(Line("3.10"), "classic", {}, ends="SIGKILL")
    with pytest.raises(UserInputError, match="policy key ha-promote-on-failure: got never"):
        expect_promotion(Line("3.10"), "classic", {"ha-promote-on-failure": "never"})


@pytest.mark.parametrize(
    ("line", "strategy", "position", "outcome"),
    [
        ("3.10", "ignore", "minority", PartitionOutcome.SPLITS),
        ("3.10", "pause_minority", "minority", PartitionOutcome.PAUSES),
        ("3.10", "pause_minority", "half", PartitionOutcome.PAUSES),
        ("3.10", "pause_minority", "majority", PartitionOutcome.SERVES),
        ("3.10", "autoheal", "minority", PartitionOutcome.SERVES_UNTIL_HEALED),
        ("4.0", "pause_minority", "minority", PartitionOutcome.PAUSES),
        ("4.3", "pause_minority", "minority", PartitionOutcome.WITHOUT_MAJORITY),
        ("4.3", "ignore", "majority", PartitionOutcome.SERVES),
        ("4.3", "pause_if_all_down", "half", PartitionOutcome.WITHOUT_MAJORITY),
    ],
)
def test_partitions(line: str, strategy: str, position: str, outcome: PartitionOutcome) -> None:
    assert expect_partition(Line(line), strategy, position).outcome == outcome


def test_pause_if_all_down_asks_for_the_listed_nodes_and_not_for_the_majority() -> None:
    blind = expect_partition(Line("3.10"), "pause_if_all_down", "majority", sees_listed=False)

    assert blind.outcome == PartitionOutcome.PAUSES
    assert expect_partition(Line("3.10"), "pause_if_all_down", "minority").outcome == PartitionOutcome.SERVES


def test_partial_partitions() -> None:
    assert expect_partial_partition(Line("3.10"), "pause_minority").outcome == PartitionOutcome.PAUSES
    assert expect_partial_partition(Line("3.10"), "ignore").outcome == PartitionOutcome.PARTIAL_BECOMES_FULL
    assert expect_partial_partition(Line("4.3"), "pause_minority").outcome == PartitionOutcome.SERVES


def test_khepri_with_pause_minority_says_what_nobody_has_confirmed() -> None:
    assert "to be calibrated" in expect_partition(Line("4.0", "khepri"), "pause_minority", "minority").reason
    assert "to be calibrated" not in expect_partition(Line("4.3"), "pause_minority", "minority").reason


def test_what_is_not_known_about_partitions_is_refused() -> None:
    with pytest.raises(UserInputError, match="cluster_partition_handling: got pause; expected ignore, "):
        expect_partition(Line("3.10"), "pause", "minority")
    with pytest.raises(UserInputError, match="position in the partition: got left"):
        expect_partition(Line("3.10"), "ignore", "left")


def test_every_outcome_has_a_meaning() -> None:
    assert set(queue_facts.MEANING) == set(QueueOutcome)
    assert set(partition_facts.MEANING) == set(PartitionOutcome)
