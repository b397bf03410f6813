"""A lease on a stack of dictionaries: whole on the way in, healed and whole on the way out, evidence where it is not."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import pytest

from pytest_rmqha.chaos import Chaos
from pytest_rmqha.errors import HarnessError, InvariantNotUpheld, NotHealed, StackNotUp, ToolFailed
from pytest_rmqha.faults import Fault
from pytest_rmqha.lease import Stage, lease
from pytest_rmqha.logs import AllowedLog
from pytest_rmqha.waiting import seconds
from tests.unit.fakes import FakeClient, FakeStack, Hands, World

VHOST = "rmqha.test-x-a-b-y"


@pytest.fixture(autouse=True)
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """Sixty seconds of waiting in three strides."""
    hands = Hands(stride=25)
    for module in ("steady", "cluster", "workload.workload"):
        hands.hold(monkeypatch, module)
    return hands


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def stack(world: World, client: FakeClient) -> FakeStack:
    return FakeStack(world, client)


def leased(stack: FakeStack) -> contextlib.AbstractContextManager[Stage]:
    hands = Hands(stride=5)
    return lease(stack, "test_x[a/b]y", lambda: Chaos(stack.timeline, clock=hands.now, sleep=hands.sleep))


def a_cut(world: World, heal: Callable[[], object] | None = None) -> Fault:
    link = world.links.all[0]
    return Fault(
        "cut", link.close, heal or link.restore, lambda: not link.is_clear(), link.is_clear, seconds(1), seconds(1)
    )


# the way in


def test_a_scenario_has_a_vhost_of_its_own_for_as_long_as_it_lasts(world: World, stack: FakeStack) -> None:
    with leased(stack) as stage:
        assert stage.cluster.vhost == VHOST
        assert stack.cluster.vhost == "/"
        assert world.apis[0].wrote == [
            ("put vhost", VHOST),
            ("permissions", VHOST, "rmqha-admin"),
            ("permissions", VHOST, "rmqha-load"),
        ]

    assert world.apis[0].wrote[3:] == [("delete vhost", VHOST)]
    assert stack.dumps == [""], "offered to the policy, with no error"


def test_a_long_name_makes_a_vhost_that_is_not(stack: FakeStack) -> None:
    with lease(stack, "é" * 5 + "x" * 200, lambda: Chaos(stack.timeline)) as stage:
        assert stage.cluster.vhost == "rmqha.-" + "x" * 59


def test_a_stack_that_is_not_whole_is_not_leased(world: World, stack: FakeStack) -> None:
    world.apis[2].seen["rabbit@host1"]["running"] = False

    with pytest.raises(StackNotUp, match=r"steady state before test_x.*rmq3: sees"), leased(stack):
        pytest.fail("the scenario must not run")
    assert world.apis[0].wrote == []
    assert [event.kind for event in stack.timeline.events] == ["wait.begin", "wait.end"]


def test_the_scenario_is_on_the_timeline(stack: FakeStack) -> None:
    with leased(stack) as stage:
        stage.timeline.add("note", "here")

    kinds = [event.kind for event in stack.timeline.events]
    assert kinds == ["wait.begin", "wait.end", "scenario.begin", "note", "wait.begin", "wait.end", "scenario.end"]
    assert [event.kind for event in stage.events] == kinds[2:]


# the way out


def test_what_is_still_broken_is_healed_before_the_vhost_goes(
    world: World, stack: FakeStack, client: FakeClient
) -> None:
    left_open = contextlib.ExitStack()
    with leased(stack) as stage:
        left_open.enter_context(stage.chaos.inject(a_cut(world)))
        assert world.links.problems()

    assert world.links.problems() == []
    assert client.verbs == ["reset"]
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)
    assert stage.chaos.active == ()
    left_open.close()


def test_a_stack_that_does_not_come_back_is_the_scenarios_verdict(world: World, stack: FakeStack) -> None:
    with (
        pytest.raises(InvariantNotUpheld, match=r"steady state after test_x.*192\.0\.2\.100 has 0 holders"),
        leased(stack),
    ):
        world.holders.clear()

    assert "InvariantNotUpheld" in stack.dumps[-1]
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST), "one red scenario must not redden the next"
    assert stack.timeline.last("scenario.end") is None


def test_a_stack_that_comes_back_in_time_is_whole(world: World, stack: FakeStack, hands: Hands) -> None:
    hands.then = lambda: world.holders.append("lb2")

    with leased(stack):
        world.holders.clear()

    assert stack.dumps == [""]
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)


def test_a_fault_that_does_not_heal_is_ours_and_dumped(world: World, stack: FakeStack) -> None:
    left_open = contextlib.ExitStack()
    with pytest.raises(NotHealed, match="cut"), leased(stack) as stage:
        left_open.enter_context(stage.chaos.inject(a_cut(world, heal=lambda: None)))

    assert "NotHealed" in stack.dumps[-1]
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)
    with pytest.raises(NotHealed):
        left_open.close()


def test_a_client_that_is_gone_is_ours_and_dumped(stack: FakeStack, client: FakeClient) -> None:
    with pytest.raises(ToolFailed, match="gone"), leased(stack):
        client.fails["reset"] = ToolFailed("the load client is gone")

    assert "ToolFailed: the load client is gone" in stack.dumps[-1]


def test_without_a_client_nothing_is_reset(world: World) -> None:
    with leased(FakeStack(world)):
        pass

    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)


def test_a_watcher_that_is_dead_is_ours_and_dumped(world: World, stack: FakeStack) -> None:
    stack.blind = ("lb1", "vip")

    with pytest.raises(HarnessError, match="nobody watched lb1, vip"), leased(stack):
        pass

    assert "nobody watched" in stack.dumps[-1]
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)


def test_a_vhost_that_cannot_be_deleted_hides_nothing(world: World, stack: FakeStack) -> None:
    with pytest.raises(InvariantNotUpheld, match="steady state after"), leased(stack):
        for api in world.apis:
            api.mute = True


# a scenario that fails


@pytest.mark.parametrize("error", [InvariantNotUpheld("lost"), ToolFailed("odd"), KeyboardInterrupt()])
def test_whatever_ends_the_scenario_there_is_a_dump_and_the_stack_is_healed(
    world: World, stack: FakeStack, error: BaseException
) -> None:
    left_open = contextlib.ExitStack()
    with pytest.raises(type(error)) as caught, leased(stack) as stage:
        left_open.enter_context(stage.chaos.inject(a_cut(world)))
        raise error

    assert caught.value is error
    (text,) = stack.dumps
    assert text.startswith("Traceback")
    assert type(error).__name__ in text
    assert world.links.problems() == []
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)
    left_open.close()


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt("SIGTERM"), SystemExit(2)])
def test_an_interrupt_heals_and_does_not_wait_for_a_stack_that_is_taken_down(
    world: World, stack: FakeStack, client: FakeClient, hands: Hands, interrupt: BaseException
) -> None:
    left_open = contextlib.ExitStack()
    began = hands.at
    with pytest.raises(type(interrupt)) as caught, leased(stack) as stage:
        left_open.enter_context(stage.chaos.inject(a_cut(world)))
        world.holders.clear()
        stack.blind = ("lb1",)
        raise interrupt

    assert hands.at == began, "nobody waited for the VIP's holder"
    assert (caught.value, getattr(caught.value, "__notes__", [])) == (interrupt, [])
    assert len(stack.dumps) == 1
    assert world.links.problems() == []
    assert client.verbs == []
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST), "the stack may be kept"
    assert stack.worn, "nobody saw it whole"
    assert stack.timeline.last("scenario.end") is None
    left_open.close()


def test_a_fault_that_an_interrupt_leaves_is_noted_on_it(world: World, stack: FakeStack) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, leased(stack) as stage:
        contextlib.ExitStack().enter_context(stage.chaos.inject(a_cut(world, heal=lambda: None)))
        raise KeyboardInterrupt

    (note,) = caught.value.__notes__
    assert note.startswith("And the stack was not whole afterwards: NotHealed: waited in vain for “cut” gone")
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)


def test_a_failed_scenario_still_waits_for_a_whole_stack(world: World, stack: FakeStack, hands: Hands) -> None:
    hands.then = lambda: world.holders.append("lb2")
    began = hands.at

    with pytest.raises(InvariantNotUpheld, match="lost"), leased(stack):
        world.holders.clear()
        raise InvariantNotUpheld("lost")

    assert hands.at > began
    assert not stack.worn


def test_an_interrupt_while_it_waits_for_a_whole_stack_ends_that(world: World, stack: FakeStack, hands: Hands) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    hands.then = interrupted
    with pytest.raises(KeyboardInterrupt), leased(stack):
        world.holders.clear()

    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)
    assert stack.worn


def test_the_dump_is_taken_before_anything_is_healed(
    world: World, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(stack, "dump", lambda name, error: seen.append(world.links.problems()))
    left_open = contextlib.ExitStack()

    with pytest.raises(InvariantNotUpheld), leased(stack) as stage:
        left_open.enter_context(stage.chaos.inject(a_cut(world)))
        raise InvariantNotUpheld("lost")

    assert seen == [["link rmq1→rmq2 is still cut or slowed"]]
    left_open.close()


def test_neither_a_dump_nor_a_way_out_that_fails_hides_the_error(world: World, stack: FakeStack) -> None:
    stack.dump_fails = True

    with pytest.raises(InvariantNotUpheld, match="lost") as caught, leased(stack):
        world.holders.clear()
        raise InvariantNotUpheld("lost")

    (note,) = caught.value.__notes__
    assert note.startswith(
        "And the stack was not whole afterwards: InvariantNotUpheld: waited in vain for steady state"
    )
    assert world.apis[0].wrote[-1] == ("delete vhost", VHOST)


def test_a_dump_that_fails_hides_no_verdict(world: World, stack: FakeStack) -> None:
    stack.dump_fails = True

    with pytest.raises(InvariantNotUpheld, match="steady state after"), leased(stack):
        world.holders.clear()


# the stage


def test_a_stage_without_a_vip_or_links_says_so(stack: FakeStack) -> None:
    with leased(stack) as stage:
        assert (stage.vip, stage.links, stage.balancers) == (stack.vip, stack.links, stack.balancers)
        stack.vip, stack.links = None, None

        with pytest.raises(HarnessError, match=r"no VIP; mark the scenario with rmq_requires\('vip'\)"):
            _ = stage.vip
        with pytest.raises(HarnessError, match=r"no links; mark the scenario with rmq_requires\('links'\)"):
            _ = stage.links


def test_the_load_goes_through_the_front_into_the_scenarios_vhost(stack: FakeStack, client: FakeClient) -> None:
    with leased(stack) as stage:
        through, past = stage.workload("q"), stage.workload("q", host="192.0.2.1", rate=5)

    assert (through.access.host, through.access.vhost, through.access.user) == ("192.0.2.100", VHOST, "rmqha-load")
    assert (past.access.host, past.rate) == ("192.0.2.1", 5)


def test_the_last_load_that_ended_is_the_stages_history(stack: FakeStack) -> None:
    with leased(stack) as stage:
        first, second = stage.workload("q"), stage.workload("r")
        assert stage.history is None
        with first.running():
            pass
        assert stage.history is first.history
        with second.running():
            pass
        assert stage.history is second.history


def test_pending_counts_what_is_there_and_one_for_what_cannot_be_asked(world: World, stack: FakeStack) -> None:
    with leased(stack) as stage:
        world.has_queue("q", vhost=VHOST, node="rabbit@host1", state="running", messages=4)
        world.has_queue("new", vhost=VHOST, node="rabbit@host1", state="running")
        workload = stage.workload("q", "new", "missing")
        world.has_queue("beside", vhost=VHOST, node="rabbit@host1", state="running", messages=2)
        assert workload.pending(()) == 6
        assert workload.pending(("q", "beside", "gone")) == 8
        for api in world.apis:
            api.mute = True
        assert workload.pending(()) == 3
        assert workload.pending(("beside",)) == 4
        for api in world.apis:
            api.mute = False


def test_a_mirrored_queue_is_a_policy_for_its_exact_name_and_is_awaited_in_sync(world: World, stack: FakeStack) -> None:
    with leased(stack) as stage:
        world.has_queue(
            "a.b",
            vhost=VHOST,
            node="rabbit@host1",
            state="running",
            slave_nodes=["rabbit@host2"],
            synchronised_slave_nodes=["rabbit@host2"],
        )
        assert stage.mirrored("a.b", ha_mode="exactly", ha_params=2) == "a.b"

    policy, queue = world.apis[0].wrote[3:5]
    assert policy[:4] == ("policy", VHOST, "for-a.b", r"^a\.b$")
    assert policy[4] == {
        "ha-mode": "exactly",
        "ha-params": 2,
        "ha-sync-mode": "automatic",
        "ha-promote-on-failure": "when-synced",
        "ha-promote-on-shutdown": "when-synced",
    }
    assert queue == ("queue", VHOST, "a.b", {}, None)


def test_a_quorum_queue_is_awaited_on_every_node(world: World, stack: FakeStack) -> None:
    names = world.names
    with leased(stack) as stage:
        world.has_queue("q", vhost=VHOST, type="quorum", state="running", leader=names[0], members=names, online=names)
        assert stage.quorum("q") == "q"

    assert world.apis[0].wrote[3] == ("queue", VHOST, "q", {"x-queue-type": "quorum"}, None)


def test_the_clusters_name_is_asked_at_the_vip(world: World, stack: FakeStack) -> None:
    with leased(stack) as stage:
        assert stage.name_through_the_vip() == "rabbit@fake"


# what the logs say, and a stack that is left not whole


def test_a_red_says_what_the_field_knows_of_a_brokers_trouble(world: World, stack: FakeStack) -> None:
    stack.logged["rmq2"] = ("broker", "Global hang workaround: global state on rabbit@rmq3 seems broken")

    with pytest.raises(InvariantNotUpheld, match=r"0 holders.*\. Known to the field, rmq2: .*3\.10\.9"), leased(stack):
        world.holders.clear()
    world.holders.append("lb1")
    with leased(stack):
        pass  # whole: a known trouble alone is no red


def test_a_broker_that_died_by_itself_and_came_back_is_the_scenarios_verdict(stack: FakeStack) -> None:
    said = "start-broker: the broker ended with 1 by itself; it is started again in 10 s"
    stack.logged["rmq1"] = ("broker", said)

    with pytest.raises(InvariantNotUpheld, match=r"rmq_allows_log.*rmq1's log: start-broker"), leased(stack):
        pass
    assert not stack.worn, "it is whole again: the next scenario can have it"

    allowed = (AllowedLog(re.compile("ended with 1"), "it is what the scenario is about"),)
    with lease(stack, "t", lambda: Chaos(stack.timeline), allowed) as stage:
        assert stage.allowed_logs == allowed


def test_a_stack_left_not_whole_is_worn_and_one_left_whole_is_not(world: World, stack: FakeStack) -> None:
    with leased(stack):
        pass
    assert (stack.leases, stack.worn) == (1, False)

    with contextlib.suppress(InvariantNotUpheld), leased(stack):
        world.holders.clear()
    assert (stack.leases, stack.worn) == (2, True)


def test_a_vhost_that_is_deleted_at_the_second_try_costs_nothing(
    world: World, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(world, monkeypatch, times=1)

    with leased(stack):
        pass

    assert not stack.worn


def test_a_vhost_that_stays_leaves_a_worn_stack(
    world: World, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(world, monkeypatch, times=3)

    with pytest.raises(ToolFailed, match="delete"), leased(stack):
        pass

    assert stack.worn


def test_a_vhost_that_stays_behind_a_red_scenario_leaves_a_worn_stack(
    world: World, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(world, monkeypatch, times=3)

    with pytest.raises(ValueError, match="own"), leased(stack):
        raise ValueError("own")

    assert stack.worn


def fails(world: World, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The first deletions of a vhost, at whichever node."""
    left = [None] * times

    for api in world.apis:
        delete = api.delete_vhost

        def tries(vhost: str, delete: Callable[[str], None] = delete) -> None:
            if left:
                left.pop()
                raise ToolFailed("delete")
            delete(vhost)

        monkeypatch.setattr(api, "delete_vhost", tries)


def test_what_the_stack_does_not_keep_outweighs_every_mistake_of_ours(world: World, stack: FakeStack) -> None:
    with pytest.raises(InvariantNotUpheld, match="steady state after") as caught, leased(stack):
        world.holders.clear()
        raise KeyError("q")

    assert isinstance(caught.value.__cause__, KeyError)


def test_a_client_that_is_gone_hides_no_log_that_nothing_explains(stack: FakeStack, client: FakeClient) -> None:
    stack.logged["rmq1"] = ("broker", "start-broker: the broker ended with 1 by itself; it is started again in 10 s")

    with pytest.raises(InvariantNotUpheld, match="the broker ended with 1") as caught, leased(stack):
        client.fails["reset"] = ToolFailed("the load client is gone")

    assert stack.worn
    assert caught.value.__notes__ == ["And: ToolFailed: the load client is gone"]
