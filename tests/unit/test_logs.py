"""What a member's log may say after a scenario, and what only a program that died by itself says."""

from __future__ import annotations

import re

import pytest

from pytest_rmqha.logs import AllowedLog, told, unexpected

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


def test_many_lines_are_told_in_one_bounded_sentence() -> None:
    assert told("rmq1", ("a", "b", "c", "d", "e")) == "rmq1's log: a | b | c and 2 more"
    assert len(unexpected("broker", ENDED + "x" * 500)[0]) == 200
