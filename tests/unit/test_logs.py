"""What a member's log may say after a scenario, and what only a program that died by itself says."""

from __future__ import annotations

import importlib
import re

import pytest

from pytest_rmqha.logs import AllowedLog, diagnoses, told, unexpected
from pytest_rmqha.markers import rmq_allows_log
from tests.gate.scenarios import SUITES

ENDED = (
    "2026-01-01T00:00:00Z start-broker: the broker ended with 1 by itself; it is started again in 10 s "
    "(Restart=on-failure, RestartSec=10)"
)


@pytest.mark.parametrize(
    ("role", "line"),
    [
        ("broker", ENDED),
        ("broker", "Crash dump is being written to: erl_crash.dump...done"),
        ("broker", "eheap_alloc: Cannot allocate 1234 bytes of memory"),
        ("balancer", "Keepalived_vrrp exited due to signal 9"),
        ("balancer", "Keepalived_vrrp exited due to segmentation fault (SIGSEGV)."),
        ("balancer", "pid 12 exited: VRRP child process(12) died: Respawning"),
        ("balancer", "[WARNING]  (12) : Current worker (14) exited with code 1 (Exit)"),
        ("balancer", "Keepalived_vrrp exited with permanent error CONFIG. Terminating"),
        ("balancer", "[ALERT]    (12) : Current worker (14) exited with code 139 (Segmentation fault)"),
    ],
)
def test_a_program_that_died_by_itself_is_found(role: str, line: str) -> None:
    assert unexpected(role, f"all is well\n{line}\nall is well again\n") == (line,)


@pytest.mark.parametrize(
    ("role", "line"),
    [
        ("broker", "[error] <0.1.0> closing AMQP connection <0.2.0> (198.18.40.43:5000 -> 198.18.40.40:5672)"),
        ("balancer", "[WARNING]  (14) : Server amqp_brokers/rmq1 is DOWN"),
        ("balancer", "(rabbitmq) Entering BACKUP STATE"),
        ("balancer", "[ALERT]    (12) : Current worker (14) exited with code 143 (Terminated)"),
        ("balancer", "[NOTICE]   (12) : Former worker (14) exited with code 0 (Exit)"),
        ("balancer", "Script chk_haproxy child process(31) died: Exiting"),
        ("balancer", "VRRP_Script(chk_haproxy) failed (exited with status 1)"),
        ("client", ENDED),
    ],
)
def test_what_faults_make_a_member_say_is_none(role: str, line: str) -> None:
    assert unexpected(role, line) == ()


def test_what_a_scenario_causes_is_excused_and_nothing_else() -> None:
    allowed = (AllowedLog(re.compile("the broker ended with 1 by itself"), "it gives up, as documented"),)

    assert unexpected("broker", ENDED, allowed) == ()
    assert len(unexpected("broker", ENDED.replace("with 1", "with 137"), allowed)) == 1


DUMP = "2026-01-01T00:00:00Z Crash dump is being written to: /var/log/rabbitmq/erl_crash.dump...done"
FLAGS = "2026-01-01T00:00:00Z                        {incompatible_feature_flags,"
BOOTED_AGAIN = AllowedLog(
    re.compile(
        r"(the broker ended with 1 by itself|Crash dump is being written).*"
        r"\(boot failed: incompatible_feature_flags, time 1\)"
    ),
    "the suite's own excuse",
)
BOOT_FAILED = ["BOOT FAILED", "Error during startup: {error,", FLAGS, "{badrpc,", DUMP, ENDED]


def said_beside(*lines: str) -> tuple[str, ...]:
    return unexpected("broker", "\n".join(lines), (BOOTED_AGAIN,))


def test_a_failed_boot_carries_its_cause_and_is_excused_by_it() -> None:
    found = unexpected("broker", "\n".join(BOOT_FAILED))

    assert found == tuple(f"{line} (boot failed: incompatible_feature_flags, time 1)" for line in (DUMP, ENDED))
    assert said_beside("Starting RabbitMQ", *BOOT_FAILED, "Starting RabbitMQ") == ()


def test_an_end_that_its_own_log_does_not_explain_is_not_excused() -> None:
    assert said_beside(DUMP, ENDED) == (DUMP, ENDED)
    assert said_beside("incompatible_feature_flags is a word that somebody wrote", ENDED) == (ENDED,)
    assert said_beside(*BOOT_FAILED, "Starting RabbitMQ", ENDED) == (ENDED,), (
        "the cause of the one before is not its own"
    )
    assert len(said_beside(FLAGS, ENDED.replace("with 1", "with 137"))) == 1


def test_a_second_failed_boot_of_one_broker_is_not_excused() -> None:
    found = said_beside(*BOOT_FAILED, "Starting RabbitMQ", *BOOT_FAILED)

    assert [line.partition(" (boot failed")[2] for line in found] == [": incompatible_feature_flags, time 2)"] * 2


def test_the_suites_excuse_is_the_one_tried_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SUITES))
    mark = importlib.import_module("oracle").BOOTED_AGAIN.mark

    assert rmq_allows_log(*mark.args, **mark.kwargs).pattern == BOOTED_AGAIN.pattern


def test_many_lines_are_told_in_one_bounded_sentence() -> None:
    assert told("rmq1", ("a", "b", "c", "d", "e")) == "rmq1's log: a | b | c and 2 more"
    assert len(unexpected("broker", ENDED + "x" * 500)[0]) == 240


def declined(candidate: str, index: int, term: int) -> str:
    """As a member of a quorum queue writes it (3.10.8)."""
    return (
        f"2026-11-26 19:31:27.720517+00:00 [info] <0.2552.0> queue 'q' in vhost 'v': declining vote for "
        f"{{'v_q',rabbit@{candidate}}} for term {term}, candidate last log index term was: {{{index},1}}\n"
        "2026-11-26 19:31:27.720517+00:00 [info] <0.2552.0>  last log entry idxterm seen was: {{146,1}}\n"
    )


def test_a_candidate_that_is_refused_again_and_again_with_the_same_log_is_known_to_the_field() -> None:
    log = "".join(declined("rmq2", 141, term) for term in range(5, 10))

    [known] = diagnoses(log)
    assert "Ra issue 439" in known


@pytest.mark.parametrize(
    "lines",
    [
        [declined("rmq2", 141, term) for term in range(5, 9)],
        [declined("rmq2", 141 + term, term) for term in range(5, 10)],
        [declined(f"rmq{1 + term % 2}", 141, term) for term in range(5, 13)],
    ],
    ids=["four times", "with a log that grows", "two candidates, four times each"],
)
def test_an_ordinary_election_is_no_such_trouble(lines: list[str]) -> None:
    assert diagnoses("".join(lines)) == ()
