"""What is true of one RabbitMQ line, with the source of each fact.

Facts follow from the version and the metadata store. Only lines somebody has looked at are accepted: a guess about an
unknown version would be an expectation without a source.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pytest_rmqha.errors import UserInputError

MNESIA, KHEPRI = STORES = ("mnesia", "khepri")
LINES = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "4.0", "4.1", "4.2", "4.3")

NOTES = "https://github.com/rabbitmq/rabbitmq-server/blob/main/release-notes/"
NOTES_4_0 = NOTES + "4.0.1.md"
NOTES_4_3 = NOTES + "4.3.0.md"
ENABLE_KHEPRI = "https://www.rabbitmq.com/docs/metadata-store/how-to-enable-khepri"
KHEPRI_FAQ = "https://www.rabbitmq.com/docs/metadata-store/khepri-faq"
MIRRORING = "https://www.rabbitmq.com/docs/3.13/ha"
CLUSTERING = "https://www.rabbitmq.com/docs/3.13/clustering"
PARTITIONS = "https://www.rabbitmq.com/docs/4.2/partitions"
INFERRED = "inferred from the source, said by no document: to be calibrated on a real broker"
QUORUM = "https://www.rabbitmq.com/docs/quorum-queues"


@dataclass(frozen=True)
class Fact:
    """A value and where it is said."""

    value: object
    source: str


@dataclass(frozen=True)
class Expectation:
    """What must be seen, why, and where that is said. ``outcome`` is a member of the asking module's StrEnum."""

    outcome: str
    reason: str
    source: str


@dataclass(frozen=True)
class Line:
    """``Line("3.10")``, or a full version such as ``Line("3.10.8")``.

    ``store`` is the line's own default unless given; only 4.0 to 4.2 have a choice (Khepri on 3.13 is unsupported and
    excludes mirrored queues, so it is refused).
    """

    version: str
    store: str = ""

    def __post_init__(self) -> None:
        if self.name not in LINES:
            raise UserInputError(
                "RabbitMQ version",
                self.version,
                f"one of the lines {', '.join(LINES)}",
                "choose one of these; a new line is added in expectations/line.py, with its sources",
            )
        default, choice = self._default_store()
        if not self.store:
            object.__setattr__(self, "store", default)
        elif self.store not in choice:
            what = f"metadata store of RabbitMQ {self.name}"
            raise UserInputError(what, self.store, " or ".join(choice), "leave it out to take the default")

    def __str__(self) -> str:
        return f"{self.name} ({self.store})"

    @cached_property
    def name(self) -> str:
        """``major.minor``."""
        return ".".join(self.version.split(".")[:2])

    @cached_property
    def _number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.name.split("."))

    def _default_store(self) -> tuple[str, tuple[str, ...]]:
        if self._number < (4, 0):
            return MNESIA, (MNESIA,)
        if self._number < (4, 3):
            return (KHEPRI if self._number >= (4, 2) else MNESIA), STORES
        return KHEPRI, (KHEPRI,)

    @cached_property
    def facts(self) -> dict[str, Fact]:
        """Every fact by name; the properties below are short for ``facts[name].value``."""
        number = self._number
        khepri = self.store == KHEPRI
        return {
            "store": Fact(self.store, NOTES_4_3 if number >= (4, 3) else ENABLE_KHEPRI),
            "has_mirrors": Fact(number < (4, 0), NOTES_4_0 if number >= (4, 0) else MIRRORING),
            "has_ram_nodes": Fact(number < (4, 3) and not khepri, NOTES_4_3 if number >= (4, 3) else CLUSTERING),
            "has_partition_strategies": Fact(not khepri, NOTES_4_3 if number >= (4, 3) else PARTITIONS),
            "withholds_confirms_in_minority": Fact(khepri and number < (4, 3), INFERRED),
            "allows_transient_queues": Fact(number < (4, 3), NOTES_4_3),
            "delivery_limit": Fact(20 if number >= (4, 0) else None, NOTES_4_0 if number >= (4, 0) else QUORUM),
            "metadata_needs_majority": Fact(khepri, KHEPRI_FAQ),
        }

    def _is(self, name: str) -> bool:
        return self.facts[name].value is True

    @property
    def has_mirrors(self) -> bool:
        """Classic mirrored queues: ``ha-*`` policy keys have an effect."""
        return self._is("has_mirrors")

    @property
    def has_ram_nodes(self) -> bool:
        return self._is("has_ram_nodes")

    @property
    def has_partition_strategies(self) -> bool:
        """``cluster_partition_handling`` decides what an isolated node does."""
        return self._is("has_partition_strategies")

    @property
    def withholds_confirms_in_minority(self) -> bool:
        """Khepri with ``pause_minority`` configured: nodes stay up, confirms are withheld."""
        return self._is("withholds_confirms_in_minority")

    @property
    def allows_transient_queues(self) -> bool:
        """Queues that are neither durable nor exclusive may be declared without an opt-in."""
        return self._is("allows_transient_queues")

    @property
    def metadata_needs_majority(self) -> bool:
        return self._is("metadata_needs_majority")

    @property
    def delivery_limit(self) -> int | None:
        """Default delivery limit of quorum queues; None: unlimited."""
        value = self.facts["delivery_limit"].value
        return value if isinstance(value, int) else None
