"""A fault that is undone while the stack stays broken: that is the stack's failure, not ours."""

from __future__ import annotations

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.errors import InvariantNotUpheld, NotHealed, ToolFailed
from pytest_rmqha.faults import Fault
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import seconds


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
