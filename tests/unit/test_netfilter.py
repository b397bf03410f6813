"""Drop rules read back from nft: what it refuses, what it does not list, and what it could not say."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pytest_rmqha.adapters.bounded import Answer
from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.adapters.netfilter import PacketFilter
from pytest_rmqha.errors import ToolFailed

STANDS = """table inet rmqha_fault
table inet rmqha_fault {
  chain input {
    type filter hook input priority -10; policy accept;
    udp dport 9 counter packets 3 bytes 84 drop
    meta l4proto 112 counter packets 4 bytes 160 drop
  }
}
"""
RULES = (("input", "udp dport 9"), ("input", "meta l4proto 112"))


class Helper:
    """The engine's helper, which answers as told; ``scripts`` is what it was given to run."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.scripts: list[str] = []

    def in_network_of(self, service: str, image: str, script: str) -> Answer:
        self.scripts.append(script)
        return self.answer


def drops(code: int = 0, out: str = "", err: str = "") -> tuple[PacketFilter, Helper]:
    helper = Helper(Answer(code, out, err))
    return PacketFilter(cast(Engine, cast(Any, helper)), "lb1", "image"), helper


def test_rules_are_made_in_one_transaction_that_refuses_to_touch_others() -> None:
    filtered, helper = drops(out=STANDS)
    filtered.drop(RULES)

    (script,) = helper.scripts
    assert script.count("nft -f -") == 1
    assert script.index("create table inet rmqha_fault\n") < script.index("table inet rmqha_fault {")
    assert "    udp dport 9 counter drop\n" in script


@pytest.mark.parametrize(
    ("code", "out", "err", "told"),
    [(1, "", "syntax error, unexpected on", "syntax error"), (0, STANDS.replace(" drop", "", 1), "", "udp dport 9")],
)
def test_rules_that_do_not_all_stand_are_a_tool_that_failed(code: int, out: str, err: str, told: str) -> None:
    filtered, _ = drops(code, out, err)
    with pytest.raises(ToolFailed, match=f"did not stand on lb1: .*{told}" if err else "did not stand on lb1"):
        filtered.drop(RULES)


@pytest.mark.parametrize("rules", [(), (("forward", "udp dport 9"),)])
def test_rules_that_could_never_drop_are_not_even_tried(rules: tuple[tuple[str, str], ...]) -> None:
    filtered, helper = drops(out=STANDS)
    with pytest.raises(ToolFailed, match="at least one, each for input or output"):
        filtered.drop(rules)
    assert helper.scripts == []


def test_what_all_rules_dropped_is_added_up() -> None:
    assert drops(out=STANDS)[0].dropped() == 7


@pytest.mark.parametrize("out", ["", "table inet filter\ntable ip nat\n"])
def test_no_rules_are_none_when_nft_says_so(out: str) -> None:
    assert drops(out=out)[0].dropped() is None


def test_an_nft_that_fails_has_not_said_that_there_are_none() -> None:
    filtered, _ = drops(code=127, err="sh: nft: not found")
    with pytest.raises(ToolFailed, match="could not be listed: sh: nft: not found"):
        filtered.dropped()


def test_rules_that_stay_are_a_tool_that_failed() -> None:
    with pytest.raises(ToolFailed, match="could not be removed"):
        drops(out="table inet rmqha_fault\n")[0].lift()
