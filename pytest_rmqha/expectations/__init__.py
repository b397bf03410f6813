"""What a line must do, with reason and source. An expectation says how a promise is kept; it never excuses a loss."""

from pytest_rmqha.expectations.line import Expectation, Fact, Line
from pytest_rmqha.expectations.partitions import PartitionOutcome, expect_partial_partition, expect_partition
from pytest_rmqha.expectations.queues import QueueOutcome, expect_promotion

__all__ = [
    "Expectation",
    "Fact",
    "Line",
    "PartitionOutcome",
    "QueueOutcome",
    "expect_partial_partition",
    "expect_partition",
    "expect_promotion",
]
