"""The contract of ``Containers``, held by the engine on one small container and by the fake of the unit tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from pytest_rmqha.errors import ToolFailed
from pytest_rmqha.outside import Containers
from pytest_rmqha.waiting import await_match, seconds
from tests.contract.small_run import SmallRun
from tests.unit.fakes import Answer, FakeContainers

IT = "member"
SAYS = ("sh", "-c", "echo said; echo complained >&2; exit 3")
HOLDS = ("sh", "-c", "echo held")


def told(_service: str, command: tuple[str, ...]) -> Answer:
    return Answer(3, "said\n", "complained\n") if command == SAYS else Answer(0, "held\n")


@pytest.fixture(scope="module")
def member(small_run: SmallRun) -> Iterator[Containers]:
    small_run.member(IT, "balancer", "-c", "printf 'first\\nlast\\n'; exec sleep 600", entrypoint=["sh"])
    yield small_run.engine
    small_run.remove(IT)


@pytest.fixture(params=["fake", "real"])
def containers(request: pytest.FixtureRequest) -> Containers:
    """With one container in it, which runs."""
    if request.param == "fake":
        fake = FakeContainers(IT)
        fake.says, fake.lines[IT] = told, ["first", "last"]
        return fake
    engine: Containers = request.getfixturevalue("member")
    engine.unpause(IT)
    engine.start(IT)
    reaches(engine, "running")
    return engine


def reaches(containers: Containers, state: str) -> None:
    await_match(
        lambda: containers.state(IT), lambda s: s == state, what=f"{IT} {state}", within=seconds(10), every=0.05
    )


def test_a_killed_container_is_exited_and_can_be_started_again(containers: Containers) -> None:
    containers.kill(IT)
    reaches(containers, "exited")
    containers.start(IT)
    reaches(containers, "running")


def test_killing_a_dead_container_is_no_error(containers: Containers) -> None:
    containers.kill(IT)
    reaches(containers, "exited")
    containers.kill(IT)
    assert containers.state(IT) == "exited"


def test_its_last_end_tells_a_kill_from_any_other(containers: Containers) -> None:
    assert containers.exit_code(IT) == 0
    containers.kill(IT)
    reaches(containers, "exited")
    assert containers.exit_code(IT) == 137
    containers.start(IT)
    containers.kill(IT, signal="SIGTERM")
    reaches(containers, "exited")
    assert containers.exit_code(IT) != 137


def test_a_signal_that_ends_nothing_leaves_it_running(containers: Containers) -> None:
    containers.kill(IT, signal="SIGCONT")
    assert containers.state(IT) == "running"


def test_a_paused_container_can_be_killed(containers: Containers) -> None:
    containers.pause(IT)
    containers.kill(IT)
    reaches(containers, "exited")


def test_a_stopped_container_is_exited_and_may_be_stopped_again(containers: Containers) -> None:
    containers.stop(IT, grace=5)
    reaches(containers, "exited")
    containers.stop(IT, grace=5)
    assert containers.state(IT) == "exited"


def test_starting_what_runs_is_no_error(containers: Containers) -> None:
    containers.start(IT)
    assert containers.state(IT) == "running"


def test_a_paused_container_says_so_until_it_is_unpaused(containers: Containers) -> None:
    containers.pause(IT)
    assert containers.state(IT) == "paused"
    containers.unpause(IT)
    assert containers.state(IT) == "running"


def test_unpausing_what_is_not_paused_is_no_error(containers: Containers) -> None:
    containers.unpause(IT)
    assert containers.state(IT) == "running"
    containers.kill(IT)
    reaches(containers, "exited")
    containers.unpause(IT)
    assert containers.state(IT) == "exited"


@pytest.mark.parametrize("state", ["paused", "exited"])
def test_only_what_runs_can_be_paused(containers: Containers, state: str) -> None:
    {"paused": containers.pause, "exited": containers.kill}[state](IT)
    reaches(containers, state)
    with pytest.raises(ToolFailed):
        containers.pause(IT)
    assert containers.state(IT) == state


def test_a_paused_container_is_not_started(containers: Containers) -> None:
    containers.pause(IT)
    with pytest.raises(ToolFailed):
        containers.start(IT)
    assert containers.state(IT) == "paused"


def test_a_commands_exit_code_is_an_answer(containers: Containers) -> None:
    answer = containers.exec(IT, *SAYS)
    assert (answer.code, answer.out, answer.err) == (3, "said\n", "complained\n")


def test_a_command_that_must_hold_gives_what_it_said(containers: Containers) -> None:
    assert containers.must(IT, *HOLDS) == "held\n"


def test_a_command_that_must_hold_and_does_not_is_a_tool_failure_with_its_words(containers: Containers) -> None:
    with pytest.raises(ToolFailed, match=r"3.*complained"):
        containers.must(IT, *SAYS)


@pytest.mark.parametrize("state", ["paused", "exited"])
def test_no_command_runs_in_what_does_not_run(containers: Containers, state: str) -> None:
    {"paused": containers.pause, "exited": containers.kill}[state](IT)
    reaches(containers, state)
    for ask in (containers.exec, containers.must):
        with pytest.raises(ToolFailed):
            ask(IT, *HOLDS)


def test_the_log_outlives_the_process_and_can_be_cut_to_its_end(containers: Containers) -> None:
    await_match(
        lambda: containers.logs(IT),
        lambda text: 0 < text.count("first") == text.count("last"),
        what="its log",
        within=seconds(5),
    )
    containers.kill(IT)
    reaches(containers, "exited")
    assert "first" in containers.logs(IT)
    assert "last" in containers.logs(IT, tail=1)
    assert "first" not in containers.logs(IT, tail=1)


QUESTIONS: dict[str, Callable[[Containers], object]] = {
    "state": lambda c: c.state("nobody"),
    "kill": lambda c: c.kill("nobody"),
    "stop": lambda c: c.stop("nobody"),
    "start": lambda c: c.start("nobody"),
    "pause": lambda c: c.pause("nobody"),
    "unpause": lambda c: c.unpause("nobody"),
    "exec": lambda c: c.exec("nobody", "true"),
    "must": lambda c: c.must("nobody", "true"),
    "logs": lambda c: c.logs("nobody"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_service_that_the_run_does_not_have_is_a_tool_failure(containers: Containers, question: str) -> None:
    with pytest.raises(ToolFailed):
        QUESTIONS[question](containers)


def test_a_command_that_does_not_end_is_named_and_ended_with_its_children(
    small_run: SmallRun, member: Containers
) -> None:
    engine = small_run.engine
    engine.unpause(IT)
    engine.start(IT)
    reaches(member, "running")
    with pytest.raises(ToolFailed, match=r"sleep 987.* did not end within 1 s"):
        engine.exec(IT, "sh", "-c", "sleep 987 & wait", within=1)
    await_match(
        lambda: engine.exec(IT, "pgrep", "-x", "sleep", "-a").out,
        lambda said: "987" not in said,
        what="the command gone",
        within=seconds(5),
    )


def test_a_member_that_is_paused_under_a_command_holds_nobody_up(small_run: SmallRun, member: Containers) -> None:
    engine = small_run.engine
    engine.unpause(IT)
    engine.start(IT)
    reaches(member, "running")
    pausing = threading.Timer(0.5, engine.pause, (IT,))
    pausing.start()
    with pytest.raises(ToolFailed, match="did not end within 2 s"):
        engine.exec(IT, "sleep", "30", within=2)
    pausing.join()
    engine.unpause(IT)
