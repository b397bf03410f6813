"""Leaders as the brokers' logs tell them (lines of 3.10.8 as they were, shortened)."""

from __future__ import annotations

from pytest_rmqha.leader_changes import LeaderChange, in_order, leader_changes

VHOST = "rmqha.the-leaders-node-is-killed"
AT = "2026-11-26T11:46:{}000000Z 2026-11-26 11:46:{}+00:00 [info] <0.1131.0> "


def elected(second: str, queue: str, node: str, term: int, vhost: str = VHOST) -> str:
    who = f"{{'{vhost}_{queue}',{node}}}"
    return AT.format(second, second) + f"queue '{queue}' in vhost '{vhost}': detected a new leader {who} in term {term}"


def promoted(
    second: str, queue: str, node: str, words: str = "Promoting mirror <{}.1795693593.1131.0> to leader"
) -> str:
    said = words.format(node)
    return AT.format(second, second) + f"Mirrored queue '{queue}' in vhost '{VHOST}': {said}"


def told(*lines: str) -> list[LeaderChange]:
    return in_order(leader_changes("\n".join(lines)), VHOST)


def test_a_quorum_queues_leader_is_told_once_for_each_term() -> None:
    found = told(
        elected("46.100", "q", "rabbit@rmq2", 1),
        elected("46.200", "q", "rabbit@rmq2", 1),
        elected("55.739", "q", "rabbit@rmq3", 2),
        elected("56.000", "q", "rabbit@rmq3", 3),
    )
    assert [(c.node, c.term, c.at.second, c.at.microsecond) for c in found] == [
        ("rabbit@rmq2", 1, 46, 100000),
        ("rabbit@rmq3", 2, 55, 739000),
        ("rabbit@rmq3", 3, 56, 0),
    ]


def test_who_comes_back_and_tells_of_an_old_term_moves_no_leader() -> None:
    found = told(elected("55.739", "q", "rabbit@rmq3", 2), elected("56.000", "q", "rabbit@rmq2", 1))
    assert [c.node for c in found] == ["rabbit@rmq3"]


def test_lines_of_several_brokers_come_in_the_order_of_their_time() -> None:
    found = told(elected("57.000", "q", "rabbit@rmq1", 3), elected("55.739", "q", "rabbit@rmq3", 2))
    assert [c.node for c in found] == ["rabbit@rmq3", "rabbit@rmq1"]


def test_a_promoted_mirror_is_the_node_of_its_process() -> None:
    assert [(c.queue, c.node, c.term) for c in told(promoted("55.734", "ha.load", "rabbit@rmq-3.example.org"))] == [
        ("ha.load", "rabbit@rmq-3.example.org", None)
    ]
    older = promoted("55.734", "ha.load", "rabbit@rmq3", "Promoting slave <{}.2.1131.0> to master")
    assert [c.node for c in told(older)] == ["rabbit@rmq3"]


def test_queues_of_other_vhosts_and_other_lines_are_passed_over() -> None:
    other = elected("46.100", "q", "rabbit@rmq2", 1, vhost="orders")
    vote = (
        AT.format("46.100", "46.100") + f"queue 'q' in vhost '{VHOST}': granting vote for {{'x',rabbit@rmq1}} in term 2"
    )
    assert (
        told(other, vote, "", "no time: queue 'q' in vhost 'v': detected a new leader {'x',rabbit@rmq1} in term 2")
        == []
    )
