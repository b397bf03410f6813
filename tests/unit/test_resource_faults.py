"""A memory alarm on a stack of dictionaries: when it is there, when it is gone, and whose it is if it stays."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.errors import InvariantNotUpheld, NotHealed
from pytest_rmqha.faults import Fault
from pytest_rmqha.faults.resource import FAR_TOO_LITTLE, memory_alarm
from pytest_rmqha.waiting import seconds
from tests.unit.fakes import Answer, World

LIMIT = 1_000_000_000


class Broker:
    """What its watermark is set to is its limit at once; ``clears`` and ``obeys`` say what goes wrong."""

    def __init__(self) -> None:
        self.world = World()
        self.clears = self.obeys = True
        self.world.containers.says = self.says
        self.shows(LIMIT, False)

    def shows(self, limit: int, alarm: bool) -> None:
        for api in self.world.apis:
            api.seen["rabbit@host3"] |= {"mem_limit": limit, "mem_alarm": alarm}

    def says(self, _service: str, command: tuple[str, ...]) -> Answer:
        low = command[-1] == FAR_TOO_LITTLE
        if low or self.obeys:
            self.shows(int(command[-1]), low or not self.clears)
        return Answer()

    def fault(self) -> Fault:
        return dataclasses.replace(memory_alarm(self.world.cluster, self.world.nodes[2]), gone_within=seconds(0))


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_it_is_there_on_every_node_and_gone_with_the_old_limit(broker: Broker) -> None:
    fault = broker.fault()
    assert (fault.in_effect(), fault.is_gone()) == (False, True)
    with Chaos(broker.world.timeline).inject(fault):
        assert (fault.in_effect(), fault.is_gone(), fault.undone()) == (True, False, False)
    assert broker.world.nodes[0].view()["rabbit@host3"]["mem_limit"] == LIMIT


def test_an_alarm_that_does_not_clear_under_the_old_limit_is_the_stacks_failure(broker: Broker) -> None:
    broker.clears = False
    with (
        pytest.raises(InvariantNotUpheld, match=r"memory alarm on rmq3"),
        Chaos(broker.world.timeline).inject(broker.fault()),
    ):
        pass


@pytest.mark.parametrize("has_limit", [True, False])
def test_a_limit_that_was_not_set_back_is_ours(broker: Broker, has_limit: bool) -> None:
    broker.obeys = False
    with pytest.raises(NotHealed), Chaos(broker.world.timeline).inject(broker.fault()):
        for api in broker.world.apis:
            if not has_limit:
                del api.seen["rabbit@host3"]["mem_limit"]
