"""A test's lease of the session's stack: its own through ``rmq_stage``, or one with others of its play by ``rmq_observe``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pytest_rmqha import failure_evidence
from pytest_rmqha.adapters import allure
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.chaos import Chaos
from pytest_rmqha.lease import ENDS_THE_SESSION, Stage, lease
from pytest_rmqha.markers import MARKS
from pytest_rmqha.observation import Observations, Observed
from pytest_rmqha.preparing import make_ready
from pytest_rmqha.presenting import label, show
from pytest_rmqha.session_report import RUN
from pytest_rmqha.session_stack import STACK
from pytest_rmqha.sigterm import CLEAN_STOP

STAGE: pytest.StashKey[Stage] = pytest.StashKey()
LEFT: pytest.StashKey[bool] = pytest.StashKey()
PLAY: pytest.StashKey[Observed] = pytest.StashKey()
_LEASE: pytest.StashKey[Any] = pytest.StashKey()


def _chaos_of(stack: Stack) -> Chaos:
    return Chaos(stack.timeline, on_step=allure.step)


@pytest.fixture
def rmq_stage(request: pytest.FixtureRequest, rmq_stack: Stack) -> Stage:
    """A scenario's own lease of the stack; it is left, healed and judged inside the test's call."""
    marks = request.node.stash[MARKS]
    make_ready(rmq_stack, marks)
    leased = lease(rmq_stack, request.node.name, lambda: _chaos_of(rmq_stack), marks.allowed_logs)
    stage = leased.__enter__()
    request.node.stash[STAGE] = stage
    request.node.stash[_LEASE] = leased
    request.addfinalizer(lambda: _leave_uncalled(request, leased))
    return stage


def _leave_uncalled(request: pytest.FixtureRequest, leased: Any) -> None:
    """The test was never called: another fixture failed, which is left as usual, or the session ends."""
    if LEFT in request.node.stash:
        return
    stop = request.config.stash.get(CLEAN_STOP, None)
    ended = KeyboardInterrupt("the session ends") if stop is not None and stop.seen else None
    leased.__exit__(type(ended) if ended else None, ended, None)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Leave a scenario's lease inside its call phase, so that what does not come back whole fails the scenario itself."""
    if MARKS in pyfuncitem.stash and pyfuncitem.stash[MARKS].ids:
        label(pyfuncitem)
    leased, run = pyfuncitem.stash.get(_LEASE, None), pyfuncitem.config.stash[RUN]
    if leased is None:
        try:
            return (yield)
        except ENDS_THE_SESSION:
            raise
        except BaseException as error:  # pytest.fail is none of Exception's
            if PLAY in pyfuncitem.stash:
                seen = pyfuncitem.stash[PLAY]
                stack = pyfuncitem.config.stash[STACK]
                if known := failure_evidence.of_play(stack, run.folder, seen.name, error, seen.began):
                    pyfuncitem.add_report_section("call", "rmqha", known)
            raise
    pyfuncitem.stash[LEFT] = True
    try:
        result = yield
    except BaseException as error:
        _present_stage(pyfuncitem)
        with failure_evidence.attached(run.folder, pyfuncitem.stash[STAGE].name):
            if not leased.__exit__(type(error), error, error.__traceback__):
                raise
        return None
    _present_stage(pyfuncitem)
    with failure_evidence.attached(run.folder, pyfuncitem.stash[STAGE].name):
        leased.__exit__(None, None, None)
    return result


def _present_stage(item: pytest.Function) -> None:
    stage = item.stash[STAGE]
    show(item, Observed.of(stage, result=None, error=None))


@pytest.fixture(scope="session")
def _rmq_observations() -> Observations:
    return Observations()


@pytest.fixture
def rmq_observe(
    request: pytest.FixtureRequest, rmq_stack: Stack, _rmq_observations: Observations
) -> Callable[[Callable[[Stage], Any]], Any]:
    """``observe(play)``: runs ``play(stage)`` on the first call of the session and returns what it saw on every call.

    One fault may answer several scenario ids: each keeps its own test and assertion on the same observation. What
    ``play`` raises, and a stack that does not come back whole, fails every one of them.
    """

    def observe(play: Callable[[Stage], Any]) -> Any:
        marks = request.node.stash[MARKS]

        @contextlib.contextmanager
        def open_lease() -> Iterator[Stage]:
            make_ready(rmq_stack, marks)
            with lease(rmq_stack, play.__name__, lambda: _chaos_of(rmq_stack), marks.allowed_logs) as stage:
                yield stage

        seen = _rmq_observations.of(play, open_lease, variant=marks.variant)
        request.node.stash[PLAY] = seen
        show(request.node, seen)
        return seen.outcome()

    return observe
