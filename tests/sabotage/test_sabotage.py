"""Every planted defect is red, with the right exception and a message that names it; every twin without it is green."""

from __future__ import annotations

import re

import pytest

from conftest import Inner

PLANTED = {
    "test_a_deaf_kill": ("FaultNotInjected", r"killed \(SIGKILL\)” in effect"),
    "test_a_cut_whose_api_answers_500": ("FaultNotInjected", r"cut off from its peers.*500"),
    "test_a_cut_that_says_yes_and_does_nothing": ("FaultNotInjected", r"is not on proxy \S+ after it was added"),
    "test_a_cut_that_says_yes_and_closes_nothing": ("FaultNotInjected", r"are still enabled after they were closed"),
    "test_a_heal_that_sticks": ("NotHealed", r"cut off from its peers"),
    "test_a_load_that_never_publishes": ("NoProgress", r"progress \(new confirms and deliveries\)"),
    "test_a_consumer_that_stalls": ("NoProgress", r"progress \(new confirms and deliveries\)"),
    "test_a_broker_that_loses_a_message": ("InvariantNotUpheld", r"nothing_confirmed_is_lost.*1 of"),
    "test_a_broker_that_invents_a_message": ("InvariantNotUpheld", r"nothing_comes_from_nowhere"),
    "test_a_broker_that_duplicates_without_the_flag": ("InvariantNotUpheld", r"repeats_say_so"),
    "test_a_broker_that_reorders_a_message": ("InvariantNotUpheld", r"order_is_kept"),
    "test_a_ledger_that_hears_nothing": ("NoProgress", r"progress"),
    "test_a_vip_held_twice": ("InvariantNotUpheld", r"one_holder_outside_transitions"),
    "test_a_checker_with_an_empty_history": ("NoVerdict", r"nothing happened"),
    "test_a_scenario_that_asserts_nothing": ("NoVerdict", r"asserts nothing"),
    "test_a_broker_that_dies_by_itself_and_is_back": (
        "InvariantNotUpheld",
        r"what no fault of this scenario explains.*rmq3's log.*the broker ended with 137 by itself",
    ),
    "test_a_watcher_that_died": ("HarnessError", r"nobody watched lb1"),
    "test_a_client_that_dies": ("ToolFailed", r"the load client is gone"),
}
TWINS = ("test_the_ordinary_load", "test_the_ordinary_kill", "test_the_ordinary_cut", "test_the_ordinary_vip")


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_red_for_the_right_reason(inner: Inner, name: str) -> None:
    error, message = PLANTED[name]
    outcome, said = inner.outcomes.get(name, ("not run", inner.output[-2000:]))

    assert outcome == "red", f"{name} was {outcome}: {said}"
    assert error in said, said[:1500]
    assert re.search(message, said, re.DOTALL), said[:1500]


@pytest.mark.parametrize("name", TWINS)
def test_the_same_scenario_without_the_defect_is_green(inner: Inner, name: str) -> None:
    outcome, said = inner.outcomes.get(name, ("not run", inner.output[-2000:]))

    assert outcome == "passed", said[:3000]


def test_the_run_as_a_whole_is_red(inner: Inner) -> None:
    assert inner.code == 1, inner.output[-3000:]
    assert set(inner.outcomes) == set(PLANTED) | set(TWINS)


def test_the_summary_names_every_error_and_the_test_it_is_from(inner: Inner) -> None:
    summary = inner.output.partition("RabbitMQ HA verdict")[2]
    for name, (error, _) in PLANTED.items():
        assert re.search(rf"^ +{error}: .*::{name}\)$", summary, re.MULTILINE), f"{error} of {name}: {summary[-6000:]}"
