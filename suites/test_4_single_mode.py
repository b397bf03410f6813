"""Chapter 4 on the ``1node`` topology: what a stop, a kill, a stop_app and a restart of the single mode keep."""

from __future__ import annotations

import limits
import pytest
from oracle import COLD_START, tried, universal
from plays.both_kinds import KEPT
from plays.single_mode import (
    PERSISTENT,
    TRANSIENT,
    Seen,
    the_only_broker_is_killed,
    the_only_broker_is_restarted,
    the_only_broker_is_stopped,
    the_only_brokers_application_is_stopped,
)

from pytest_rmqha.checkers.observed import observed
from pytest_rmqha.checkers.verdict import Verdict, judge, verify

blamed = limits.blamed

pytestmark = pytest.mark.rmq_requires("single", "quorum")


@pytest.mark.rmq_scenario("B13")
def test_a_stopped_single_broker_keeps_durable_objects_and_persistent_messages_only(observe, budget, blamed):
    seen = observe(the_only_broker_is_stopped)

    judge(*what_it_keeps(seen))
    verify(seen.history, *universal(budget("publishing", COLD_START), budget, blamed))


@pytest.mark.rmq_scenario("B13")
def test_a_killed_single_broker_keeps_durable_objects_and_persistent_messages_only(observe, budget, blamed):
    seen = observe(the_only_broker_is_killed)

    judge(*what_it_keeps(seen))
    verify(seen.history, *universal(budget("publishing", COLD_START), budget, blamed))


@pytest.mark.rmq_scenario("B13")
def test_a_stop_app_of_the_single_broker_keeps_durable_objects_and_persistent_messages_only(observe, budget, blamed):
    seen = observe(the_only_brokers_application_is_stopped)

    judge(*what_it_keeps(seen))
    verify(seen.history, *universal(budget("publishing", COLD_START), budget, blamed))


@pytest.mark.rmq_scenario("B13")
def test_a_restarted_single_broker_keeps_durable_objects_and_persistent_messages_only(observe, budget, blamed):
    seen = observe(the_only_broker_is_restarted)

    judge(*what_it_keeps(seen))
    verify(seen.history, *universal(budget("publishing", COLD_START), budget, blamed))


def what_it_keeps(seen: Seen) -> tuple[Verdict, ...]:
    """B12's table for one broker: objects, messages, and that the queues run. No verdict where one was not there before.

    What lay in the queue that is not durable is gone with its queue, of which ``objects_kept`` speaks.
    """
    wanted = {
        "persistent.durable": (PERSISTENT, PERSISTENT),
        "transient.durable": (TRANSIENT, 0),
        "persistent.quorum": (PERSISTENT, PERSISTENT),
        "transient.quorum": (TRANSIENT, TRANSIENT),
    }
    objects = 8 if seen.fleeting_queue else 5
    tried(len(seen.objects_before) == objects and seen.objects_before > KEPT, f"it had {sorted(seen.objects_before)}")
    due_before = {stream: confirmed for stream, (confirmed, _) in wanted.items()}
    if seen.fleeting_queue:
        due_before["persistent.fleeting"] = PERSISTENT
    for stream, confirmed in due_before.items():
        tried(
            seen.arrived[stream][0] == confirmed, f"{seen.arrived[stream][0]} of {confirmed} of {stream} were confirmed"
        )
    kept = {stream: seen.arrived[stream][1] for stream in wanted}
    due = {stream: left for stream, (_, left) in wanted.items()}
    running = {name for name, state in seen.states.items() if state == "running"}
    return (
        observed(
            "objects_kept",
            seen.objects_after == KEPT,
            f"objects {sorted(seen.objects_after)}; {sorted(KEPT)} had to be",
        ),
        observed("messages_kept", kept == due, f"kept {kept}; it had to be {due}"),
        observed(
            "every_queue_runs",
            not (missing := seen.durable - running),
            f"running {sorted(running)}"
            + (f"; not running {sorted(missing)}, of states {seen.states}" if missing else ""),
        ),
    )
