"""What the markers of a test mean together, and the catalogue and capabilities that they name."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rmqha import catalogue
from pytest_rmqha.capabilities import CAPABILITIES, lacking
from pytest_rmqha.markers import MARKERS, Marks, read
from pytest_rmqha.topology import BrokerSpec, Topology


class Carrier:
    """As much of an item as ``read`` looks at; the innermost marker first."""

    nodeid = "test_it.py::test_it"

    def __init__(self, *marks: pytest.MarkDecorator) -> None:
        self.marks = marks

    def iter_markers(self) -> Any:
        return (decorator.mark for decorator in self.marks)


def marks_of(*marks: pytest.MarkDecorator) -> Marks:
    found, wrong = read(Carrier(*marks))  # type: ignore[arg-type]
    assert not wrong
    return found


def test_ids_of_several_markers_add_up_outermost_first() -> None:
    assert marks_of(pytest.mark.rmq_scenario("V11"), pytest.mark.rmq_scenario("N1", "V11")).ids == ("N1", "V11")


def test_a_test_without_ids_is_none_of_ours() -> None:
    assert marks_of(pytest.mark.parametrize("x", [1])) == Marks()


def test_inner_markers_win_and_budgets_merge() -> None:
    marks = marks_of(
        pytest.mark.rmq_scenario("N1"),
        pytest.mark.rmq_slo(publishing=5),
        pytest.mark.rmq_profile("gate"),
        pytest.mark.rmq_variant("ignore"),
        pytest.mark.rmq_slo(publishing=15, delivery=20),
        pytest.mark.rmq_profile("nightly"),
        pytest.mark.rmq_variant("autoheal"),
    )
    assert (marks.budgets, marks.profile, marks.variant) == ({"publishing": 5, "delivery": 20}, "gate", "ignore")


def test_a_stated_kind_settles_mixed_ids() -> None:
    assert marks_of(pytest.mark.rmq_scenario("N5", "N15", kind="promise")).kind == "promise"
    assert marks_of(pytest.mark.rmq_scenario("V12", kind="demonstration")).kind == "demonstration"
    assert marks_of(pytest.mark.rmq_scenario("N8")).kind == "demonstration"


def test_allowed_logs_are_compiled_and_keep_their_reason() -> None:
    (allowed,) = marks_of(
        pytest.mark.rmq_scenario("N1"), pytest.mark.rmq_allows_log("rabbit.*down", reason="we kill it")
    ).allowed_logs
    assert allowed.pattern.search("rabbit@rmq1 is down")
    assert allowed.reason == "we kill it"


@pytest.mark.parametrize("name", MARKERS)
def test_each_marker_says_how_it_is_written(name: str) -> None:
    usage = (MARKERS[name].__doc__ or "").splitlines()[0]
    assert usage.startswith(f"{name}(")
    assert "): " in usage


def test_the_catalogue_is_whole() -> None:
    assert len(catalogue.CATALOGUE) == 136
    assert catalogue.CATALOGUE.keys() >= catalogue.DEMONSTRATIONS
    assert {scenario.chapter for scenario in catalogue.CATALOGUE.values()} == set(catalogue.CHAPTERS)


def three(*node_types: str) -> Topology:
    brokers = tuple(BrokerSpec(f"r{n}", f"r{n}", f"10.0.0.{n}", t) for n, t in enumerate(node_types))
    return Topology("three", brokers, (), None, "10.0.0.0/24", "10.0.0.1", "stack")


@pytest.mark.parametrize(
    ("needed", "line", "reason"),
    [
        (("mirrors", "three_nodes", "links", "mnesia"), "3.10", ""),
        (("mirrors",), "4.3", "line 4.3 has no mirrored queues, lines 3.8, 3.10 have"),
        (("no_mirrors",), "3.8", "line 3.8 still has mirrored queues"),
        (("ram",), "4.3", "line 4.3 has no RAM nodes"),
        (("ram",), "3.10", "three has disc nodes only"),
        (("vip", "five_nodes"), "3.10", "three has no VIP; three has 3 of the 5 brokers it takes"),
        (("single",), "3.10", "three has 3 brokers, it takes exactly 1"),
    ],
)
def test_what_is_lacking_is_said(needed: tuple[str, ...], line: str, reason: str) -> None:
    assert lacking(needed, three("disc", "disc", "disc"), line) == reason


def test_every_capability_answers_on_every_topology() -> None:
    for topology in (three("disc"), three("disc", "ram", "ram")):
        assert all(isinstance(lack(topology, "3.10"), str) for lack in CAPABILITIES.values())
