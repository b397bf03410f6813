"""From a measure to the lines that govern it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_rmqha.config.folder import layered
from pytest_rmqha.config.suspects import MEASURES, suspects
from tests.gate.mutants import BY_ID

MEMBERS = {"rmq1": "broker", "rmq3": "broker", "lb1": "balancer", "lb2": "balancer"}


def told(measure: str, folder: Path) -> str:
    return suspects(measure, [f for name, role in MEMBERS.items() for f in layered([folder], name, role).values()])


@pytest.mark.parametrize(
    ("mutant", "measure", "line"),
    [
        ("H05", "idle client", "haproxy.cfg:17: timeout client 9s (must outlast two heartbeats)"),
        ("R08", "silent client", "heartbeat = 0 (0 never notices"),
        ("H12", "connections served", "haproxy.cfg:9: mode http"),
        ("H20", "connections served", "haproxy.cfg:24: bind 198.18.40.43:5672"),
        ("R22a", "connections served", "server rmq1 198.18.40.40:5672 check send-proxy"),
        ("H14", "connections spread", "balance source"),
        ("K06", "take-over", "lb1/keepalived.conf:25: advert_int 10"),
        ("K09", "take-over", "lb2/keepalived.conf: nothing says track_script (no check is tracked)"),
        ("K10", "take-over", "weight -20"),
        ("K13", "take-over", "nothing says script_user"),
        ("K15a", "take-over", "check_haproxy.sh:3: exec killall -0 haproxy"),
        ("K08", "return", "lb1/keepalived.conf:20: state MASTER (cancels nopreempt)"),
        ("K27", "return", "nothing says nopreempt or preempt_delay"),
        ("P01", "replicas", '"ha-params": 1'),
        ("P02", "synchronisation", "mirrors catch up by hand only"),
        ("R23", "open doors", '"name": "guest"'),
    ],
)
def test_a_mutant_is_traced_to_its_line(mutant: str, measure: str, line: str, tmp_path: Path) -> None:
    assert line in told(measure, BY_ID[mutant].write(tmp_path / "config"))


def test_a_comment_is_no_suspect(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text("# mode http\n    mode tcp\n")

    assert told("connections served", tmp_path) == ""


def test_suspects_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text("timeout client 1s\n" * 9)

    assert told("idle client", tmp_path).endswith("and 5 more")


def test_an_unknown_measure_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        suspects("luck", [])


def test_every_rule_has_something_to_look_for() -> None:
    assert all(rule.shows or rule.unless for rules in MEASURES.values() for rule in rules)
