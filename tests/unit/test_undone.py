"""A fault that is undone while the stack stays broken: that is the stack's failure, not ours."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.errors import InvariantNotUpheld, NotHealed, ToolFailed
from pytest_rmqha.faults import Fault, vip
from pytest_rmqha.faults.cluster import killed_whole, stopped_whole
from pytest_rmqha.faults.combine import together
from pytest_rmqha.faults.network import narrowed, slowed
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import seconds
from tests.unit.fakes import World


class Broken:
    """A stack that never comes back."""

    def __init__(self) -> None:
        self.undone: bool | None = True
        self.heals = 0

    def heal(self) -> None:
        self.heals += 1

    def is_undone(self) -> bool:
        if self.undone is None:
            raise ToolFailed("no answer")
        return self.undone

    def fault(self) -> Fault:
        return Fault(
            title="cut",
            inject=lambda: None,
            heal=self.heal,
            in_effect=lambda: True,
            is_gone=lambda: False,
            gone_within=seconds(0),
            undone=self.is_undone,
        )


def test_a_stack_that_does_not_come_back_is_not_upheld_and_nothing_is_left_to_heal() -> None:
    broken, chaos = Broken(), Chaos(Timeline())

    with pytest.raises(InvariantNotUpheld, match="does not come back by itself"), chaos.inject(broken.fault()):
        pass

    chaos.heal_all()
    assert (broken.heals, chaos.active, chaos.unhealed) == (1, (), [])


@pytest.mark.parametrize("undone", [False, None])
def test_a_fault_that_is_not_seen_undone_is_not_healed(undone: bool | None) -> None:
    broken, chaos = Broken(), Chaos(Timeline())
    broken.undone = undone

    with pytest.raises(NotHealed), chaos.inject(broken.fault()):
        pass

    assert chaos.active


def test_the_scenarios_own_error_comes_first() -> None:
    chaos = Chaos(Timeline())

    with pytest.raises(ValueError, match="own") as caught, chaos.inject(Broken().fault()):
        raise ValueError("own")

    assert "does not come back" in caught.value.__notes__[0]


def test_what_a_heal_itself_finds_broken_is_the_stacks() -> None:
    def refused() -> None:
        raise InvariantNotUpheld("join_cluster was refused")

    chaos, fault = Chaos(Timeline()), dataclasses.replace(Broken().fault(), heal=refused)

    with pytest.raises(InvariantNotUpheld, match="join_cluster was refused"), chaos.inject(fault):
        pass

    assert chaos.unhealed == [fault], "what was not healed is still there"


def test_a_look_whether_it_is_undone_that_breaks_hides_nothing() -> None:
    def broken() -> bool:
        raise KeyError("disk_free_limit")

    fault = dataclasses.replace(Broken().fault(), undone=broken)

    with pytest.raises(NotHealed, match="waited in vain for “cut” gone"), Chaos(Timeline()).inject(fault):
        pass


def test_faults_say_that_they_are_undone_when_our_own_part_is() -> None:
    world = World()
    node, balancer, link = world.nodes[0], world.balancers[0], world.links.all[0]
    around = world.links.around(node)
    for fault in (
        killed_whole(world.cluster),
        stopped_whole(world.cluster, stop=world.nodes, start=world.nodes),
        slowed(world.cluster, around, milliseconds=200),
        narrowed(world.cluster, around, kilobytes_per_second=10),
        vip.vrrp_dropped(balancer, world.vip),
        together(killed_whole(world.cluster), slowed(world.cluster, around, milliseconds=5)),
    ):
        assert fault.undone(), fault

    world.containers.kill(node.service)
    assert not killed_whole(world.cluster).undone()
    assert not together(slowed(world.cluster, around, milliseconds=5), killed_whole(world.cluster)).undone()
    link.delay(5)
    assert not slowed(world.cluster, (link,), milliseconds=5).undone()
    balancer.filter.drop([("input", "tcp")])
    assert not vip.vrrp_dropped(balancer, world.vip).undone()
