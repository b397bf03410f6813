"""The plan: each play once with what it answers, what it does, what must be seen, how long it takes and who says so."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import Session
from tests.unit.manifests import manifest, scenario

SCENARIOS = """
from pytest_rmqha.faults.node import killed


def the_node_is_killed(stage):
    return stage.chaos.inject(killed(stage.cluster, stage.cluster.nodes[0]))


@pytest.mark.rmq_scenario("N1")
def test_killing_promotes_a_mirror(rmq_observe): rmq_observe(the_node_is_killed)

@pytest.mark.rmq_scenario("V1")
def test_alone(): holds()

@pytest.mark.rmq_scenario("K1")
def test_what_a_client_believes(rmq_observe): rmq_observe(the_node_is_killed)
"""


def test_each_play_once_with_its_fault_ids_and_minutes(session: Session, pytester: pytest.Pytester) -> None:
    result = session(SCENARIOS, "--rmq-plan", "--rmq-version=4.3")

    result.stdout.fnmatch_lines(
        [
            "  1 N1 K1  promise; 0.7 min (the profile's usual)  the_node_is_killed",
            "    fault: killed: SIGKILL. Gone when every node sees it running again*",
            "    N1   SIGKILL the leader's node, mirrors synced",
            "         on 4.3, quorum: elected (*",
            "         to be seen: killing promotes a mirror",
            "    K1   *",
            "         to be seen: what a client believes",
            "  2 V1  promise; 0.7 min (the profile's usual)  test_scenarios.py::test_alone",
            "in all about 1.9 min: 3 tests in 2 plays, bring-up 0.5 min (the shipped table); plays by source: 2 the profile's usual",
        ]
    )
    result.stdout.no_fnmatch_line("*mirrored: *")
    assert not (pytester.path / "reports").exists()


def test_what_was_measured_here_is_better(session: Session, pytester: pytest.Pytester) -> None:
    earlier = manifest(
        "run-1", scenario("test_scenarios.py::test_killing_promotes_a_mirror", seconds=150), bring_up_seconds=30
    )
    (pytester.mkdir("reports") / "run-1").mkdir()
    (pytester.path / "reports" / "run-1" / "manifest.json").write_text(json.dumps(earlier))

    result = session(SCENARIOS, "--rmq-plan")

    result.stdout.fnmatch_lines(
        [
            "  1 N1 K1  promise; 2.0 min (measured in run-1)  the_node_is_killed",
            "in all about 3.2 min: *bring-up 0.5 min (measured in run-1); plays by source: 1 measured in run-1, 1 the*",
        ]
    )


def test_of_somebodys_own_stack_nothing_is_foretold_that_is_read_from_it(
    session: Session, pytester: pytest.Pytester
) -> None:
    pytester.mkdir("theirs").joinpath("haproxy.cfg").write_text("global\n")
    result = session(SCENARIOS, "--rmq-plan", "--rmq-config=theirs")
    result.stdout.fnmatch_lines(["*to be seen: killing promotes a mirror"])
    result.stdout.no_fnmatch_line("*on 3.10, *")
