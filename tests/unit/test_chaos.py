"""The injector and the algebra of faults, on faults that are a few booleans."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.errors import FaultNotInjected, InvariantNotUpheld, NotHealed, ToolFailed, UserInputError
from pytest_rmqha.faults import Fault, in_turn, together
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import seconds


class World:
    """What is broken now, and everything that was done to it."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.done: list[str] = []
        self.at = 0.0
        self.timeline = Timeline()
        self.chaos = self.another_chaos()

    def another_chaos(self) -> Chaos:
        return Chaos(self.timeline, clock=lambda: self.at, sleep=self.pass_by)

    def pass_by(self, length: float) -> None:
        self.at += length

    def fault(self, name: str, **other: Callable[[], object]) -> Fault:
        def inject() -> None:
            self.done.append(f"inject {name}")
            self.broken.add(name)

        def heal() -> None:
            self.done.append(f"heal {name}")
            self.broken.discard(name)

        plain = Fault(
            title=name,
            inject=inject,
            heal=heal,
            in_effect=lambda: name in self.broken,
            is_gone=lambda: name not in self.broken,
            within=seconds(2),
            gone_within=seconds(3),
            targets=(name,),
        )
        return replace(plain, **other)  # type: ignore[arg-type]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.timeline.events if not event.kind.startswith("wait.")]


@pytest.fixture
def world() -> World:
    return World()


def fail(error: BaseException) -> Callable[[], object]:
    def raise_it() -> object:
        raise error

    return raise_it


def test_a_fault_lasts_as_long_as_its_block_and_is_on_the_timeline(world: World) -> None:
    cut = world.fault("cut")

    with world.chaos.inject(cut) as fault:
        assert fault is cut
        assert world.broken == {"cut"}
        assert world.kinds() == ["fault.injected", "fault.seen"]

    assert world.broken == set()
    assert world.kinds() == ["fault.injected", "fault.seen", "fault.healed", "fault.gone"]
    assert {event.subject for event in world.timeline.events if event.kind.startswith("fault")} == {"cut"}
    assert world.chaos.landed == (cut,)
    assert (world.chaos.active, world.chaos.unhealed) == ((), [])


def test_enter_waits_until_the_fault_is_seen_and_says_when_it_began(world: World) -> None:
    slow = world.fault("slow", in_effect=lambda: world.at >= 1.5)

    with world.chaos.inject(slow):
        assert world.at >= 1.5

    seen = world.timeline.last("fault.seen")
    assert seen is not None and seen.data["after"] == pytest.approx(1.5, abs=0.11)
    injected = world.timeline.last("fault.injected")
    assert injected is not None and injected.at == 0.0


def test_a_fault_that_is_never_seen_is_refused_and_healed(world: World) -> None:
    with (
        pytest.raises(FaultNotInjected, match="waited in vain for “cut” in effect"),
        world.chaos.inject(world.fault("cut", in_effect=lambda: False)),
    ):
        pytest.fail("the block must not run")

    assert world.done == ["inject cut", "heal cut"]
    assert world.chaos.landed == ()
    assert world.chaos.active == ()


@pytest.mark.parametrize("error", [ToolFailed("no socket"), AssertionError("not a verdict"), KeyError("x")])
def test_an_injection_that_fails_is_our_fault_whatever_it_raises(world: World, error: Exception) -> None:
    with (
        pytest.raises(FaultNotInjected, match="injecting “cut” failed") as caught,
        world.chaos.inject(world.fault("cut", inject=fail(error))),
    ):
        pytest.fail("the block must not run")

    assert caught.value.__cause__ is error
    assert world.done == ["heal cut"]
    assert "fault.injected" not in world.kinds()


def test_a_look_that_fails_counts_as_not_yet(world: World) -> None:
    def looks() -> bool:
        if world.at < 1:
            raise ToolFailed("the API does not answer")
        return True

    with world.chaos.inject(world.fault("cut", in_effect=looks)):
        assert world.at >= 1


@pytest.mark.parametrize("error", [InvariantNotUpheld("lost"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_ends_the_block_the_fault_is_healed(world: World, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, world.chaos.inject(world.fault("cut")):
        raise error

    assert caught.value is error
    assert world.broken == set()
    assert world.kinds()[-1] == "fault.gone"


def test_a_fault_that_stays_after_its_heal_is_not_healed(world: World) -> None:
    cut = world.fault("cut", is_gone=lambda: False)

    with pytest.raises(NotHealed, match="waited in vain for “cut” gone"), world.chaos.inject(cut):
        pass

    assert world.chaos.unhealed == [cut]
    assert "fault.gone" not in world.kinds()


def test_a_heal_that_fails_stands_beside_the_error_of_the_block(world: World) -> None:
    cut = world.fault("cut", heal=fail(ToolFailed("no engine")))

    with pytest.raises(InvariantNotUpheld, match="1 lost") as caught, world.chaos.inject(cut):
        raise InvariantNotUpheld("1 lost")

    assert caught.value.__notes__ == [
        "And the fault was not healed: NotHealed: healing “cut” failed: ToolFailed: no engine"
    ]
    assert world.chaos.unhealed == [cut]


def test_a_heal_that_fails_alone_is_the_error(world: World) -> None:
    with (
        pytest.raises(NotHealed, match="healing “cut” failed: ToolFailed: no engine"),
        world.chaos.inject(world.fault("cut", heal=fail(ToolFailed("no engine")))),
    ):
        pass


def test_an_inner_heal_that_fails_keeps_no_outer_one_from_healing(world: World) -> None:
    outer, inner = world.fault("outer"), world.fault("inner", is_gone=lambda: False)

    with pytest.raises(NotHealed, match="inner"), world.chaos.inject(outer), world.chaos.inject(inner):
        pass

    assert world.done == ["inject outer", "inject inner", "heal inner", "heal outer"]
    assert world.chaos.unhealed == [inner]


def test_an_interrupted_heal_leaves_the_fault_to_heal_all(world: World) -> None:
    heals: Iterator[Callable[[], object]] = iter([fail(KeyboardInterrupt()), world.broken.clear])

    def heal() -> None:
        next(heals)()

    cut = world.fault("cut", heal=heal)

    with pytest.raises(KeyboardInterrupt), world.chaos.inject(cut):
        pass
    assert world.chaos.active == (cut,)
    assert world.chaos.unhealed == [cut]

    world.chaos.heal_all()
    assert not any((world.chaos.active, world.chaos.unhealed, world.broken))


def test_heal_all_goes_newest_first_and_can_be_said_twice(world: World) -> None:
    with world.chaos.inject(world.fault("a")), world.chaos.inject(world.fault("b")):
        world.chaos.heal_all()
        world.chaos.heal_all()

    assert world.done == ["inject a", "inject b", "heal b", "heal a"]
    assert world.kinds().count("fault.gone") == 2


def test_heal_all_tries_each_before_it_raises(world: World) -> None:
    with contextlib.suppress(NotHealed), contextlib.ExitStack() as stack:
        for name in ("a", "b"):
            stack.enter_context(world.chaos.inject(world.fault(name, heal=fail(ToolFailed(f"no {name}")))))

    with pytest.raises(NotHealed, match="no b") as caught:
        world.chaos.heal_all()
    assert caught.value.__notes__ == ["And: healing “a” failed: ToolFailed: no a"]


def test_one_fault_can_be_healed_before_its_block_ends(world: World) -> None:
    first, second = world.fault("c"), world.fault("a")

    with world.chaos.inject(first), world.chaos.inject(second):
        world.chaos.heal(first)
        assert world.broken == {"a"}

    assert world.done == ["inject c", "inject a", "heal c", "heal a"]


def test_each_act_is_a_step_of_the_report(world: World) -> None:
    steps: list[str] = []

    @contextlib.contextmanager
    def step(act: str, title: str) -> Iterator[None]:
        steps.append(f"{act} {title}")
        yield
        steps.append("done")

    chaos = Chaos(world.timeline, on_step=step)
    with chaos.inject(world.fault("cut")):
        steps.append("body")

    assert steps == ["inject cut", "done", "body", "heal cut", "done"]


def test_together_is_in_effect_when_each_is_and_heals_newest_first(world: World) -> None:
    both = together(world.fault("a"), world.fault("b"))

    with world.chaos.inject(both):
        assert world.broken == {"a", "b"}

    assert world.done == ["inject a", "inject b", "heal b", "heal a"]
    assert (both.title, both.targets, both.within, both.gone_within) == ("a + b", ("a", "b"), seconds(2), seconds(3))


def test_together_is_not_seen_while_one_is_missing(world: World) -> None:
    half = together(world.fault("a"), world.fault("b", inject=lambda: None))

    with pytest.raises(FaultNotInjected), world.chaos.inject(half):
        pytest.fail("the block must not run")

    assert world.broken == set()


def test_a_compound_heals_the_rest_when_one_heal_fails(world: World) -> None:
    both = together(world.fault("a"), world.fault("b", heal=fail(ToolFailed("no b"))))

    with pytest.raises(NotHealed, match="no b"), world.chaos.inject(both):
        pass

    assert world.broken == {"b"}


def test_in_turn_sees_each_before_the_next_and_heals_oldest_first(world: World) -> None:
    def inject_second() -> None:
        assert world.broken == {"a"}
        world.broken.add("b")

    chain = in_turn(world.fault("a"), world.fault("b", inject=inject_second))
    with world.chaos.inject(chain):
        assert world.broken == {"a", "b"}

    assert world.done == ["inject a", "heal a", "heal b"]
    assert (chain.title, chain.gone_within) == ("a, then b", seconds(6))


def test_no_fault_cannot_be_combined() -> None:
    with pytest.raises(UserInputError, match="faults together: got none; expected at least one fault"):
        together()
