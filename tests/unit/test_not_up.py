"""A configuration that does not come up: one line with what was seen and where to look."""

from __future__ import annotations

from pytest_rmqha.config.findings import WARNING, Finding
from pytest_rmqha.errors import StackNotUp
from pytest_rmqha.not_up import judged

SEEN = "waited in vain for the stack in steady state (60.0 s of 60 s); last seen: ['198.18.40.46 has 2 holders']\nmore"


def test_the_first_line_has_what_was_seen_and_the_doubtful_lines() -> None:
    findings = [
        Finding(f"/tmp/x/config/lb{n}/keepalived.conf", 22, WARNING, "virtual_router_id differs") for n in (1, 2, 3)
    ]

    first, _, rest = str(judged(StackNotUp(SEEN), findings)).partition("\n")

    assert "2 holders" in first and "lb2/keepalived.conf:22 virtual_router_id differs" in first and "lb3" not in first
    assert rest == SEEN


def test_a_file_that_lacks_something_has_no_line_of_it() -> None:
    finding = Finding("/tmp/x/config/lb1/keepalived.conf", 0, WARNING, "unicast_peer names nobody")

    assert "; see lb1/keepalived.conf unicast_peer names nobody\n" in str(judged(StackNotUp(SEEN), [finding]))


def test_without_a_doubt_nothing_is_pointed_at() -> None:
    assert "; see" not in str(judged(StackNotUp(SEEN), []))
