"""The fixtures of the live stack. One stack a session; each scenario leases it through ``rmq_stage`` or ``rmq_observe``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pytest_rmqha import failure_evidence, live, resuming
from pytest_rmqha.adapters import allure, variants, versions
from pytest_rmqha.adapters.compose import read_config
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.balancers import Balancer
from pytest_rmqha.budgets import Budgets
from pytest_rmqha.catalogue import CHAPTERS
from pytest_rmqha.chaos import Chaos
from pytest_rmqha.cluster import Cluster
from pytest_rmqha.errors import HarnessError, StackNotUp, UserInputError
from pytest_rmqha.journal import Journal
from pytest_rmqha.lease import ENDS_THE_SESSION, Stage, lease
from pytest_rmqha.leaving import leave_or_keep
from pytest_rmqha.links import Links
from pytest_rmqha.markers import MARKS, Marks
from pytest_rmqha.not_up import doubts, judged
from pytest_rmqha.observation import Observations, Observed, present
from pytest_rmqha.opening import checked, facts_of, facts_of_files, make_stack, stand_up
from pytest_rmqha.session_report import MEASURED, RUN, SETTINGS, TOPOLOGY
from pytest_rmqha.settings import Settings
from pytest_rmqha.sigterm import CLEAN_STOP
from pytest_rmqha.status import LoadRates
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.topology import Topology
from pytest_rmqha.topology_reader import from_compose
from pytest_rmqha.vip import Vip

STAGE: pytest.StashKey[Stage] = pytest.StashKey()
MOST_REBUILDS = 2
STACK: pytest.StashKey[Stack] = pytest.StashKey()


@pytest.fixture(scope="session")
def rmq_settings(request: pytest.FixtureRequest) -> Settings:
    """The checked options of this run."""
    return request.config.stash[SETTINGS]


@pytest.fixture(scope="session")
def rmq_topology(request: pytest.FixtureRequest, rmq_settings: Settings) -> Topology:
    """The declared shape of the stack, read through ``docker compose config``."""
    if TOPOLOGY in request.config.stash:
        return request.config.stash[TOPOLOGY]
    return from_compose(read_config(rmq_settings.topology_file, {}), rmq_settings.topology_name)


@pytest.fixture(scope="session")
def rmq_stack(request: pytest.FixtureRequest, rmq_settings: Settings, rmq_topology: Topology) -> Iterator[Stack]:
    """The real stack in steady state; taken down at the end of the session, whatever ended it."""
    run = request.config.stash[RUN]
    try:
        stack = make_stack(rmq_settings, rmq_topology, run.name, run.folder, lambda text: print(f"rmqha: {text}"))
    except UserInputError as error:
        pytest.exit(f"{error}", returncode=pytest.ExitCode.USAGE_ERROR)
    interrupts = request.config.stash.get(CLEAN_STOP, None)
    if interrupts is not None:
        interrupts.defers = True
    began = time.monotonic()
    allure_folder = request.config.getoption("allure_report_dir", None)
    allure.write_categories(allure_folder)
    journal = Journal(stack.timeline, run.folder)
    try:
        live.follow(request.config, stack.timeline)
        rates = LoadRates()
        stack.load_client.on_load = rates.counted
        live.rates_from(request.config, rates)
        run.facts |= facts_of_files(stack)
        run.facts["preflight"] = checked(stack, rmq_settings)
        stand_up(stack, rmq_settings)
        run.facts["bring_up_seconds"] = round(time.monotonic() - began, 1)
        run.facts |= {**facts_of(stack), "stack": (programs := versions.of_the_stack(stack))}
        resuming.refuse_another_stack(request.config)
        allure.write_environment(allure_folder, programs)
        request.config.stash[STACK] = stack
        yield stack
    except UserInputError as error:
        failure_evidence.of_bring_up(stack, run.folder, error)
        pytest.exit(f"{error}", returncode=pytest.ExitCode.USAGE_ERROR)
    except HarnessError as error:
        failure_evidence.of_bring_up(stack, run.folder, error)
        if isinstance(error, StackNotUp) and not rmq_settings.is_reference:
            raise judged(error, doubts(stack.topology, stack.config_files, rmq_settings.version)) from error
        raise
    except BaseException as error:
        if STACK not in request.config.stash:
            failure_evidence.of_bring_up(stack, run.folder, error)
        raise
    finally:
        if interrupts is not None:
            interrupts.forget_deadline()
        journal.become(run.folder / "timeline.jsonl")
        is_up, failed = STACK in request.config.stash, request.session.testsfailed > 0
        leave_or_keep(stack, rmq_settings, run, is_up=is_up, failed=failed)
        if interrupts is not None:
            interrupts.defers = False
            interrupts.check()  # what came while the stack was taken down: now it is


@pytest.fixture(scope="session")
def rmq_timeline(rmq_stack: Stack) -> Timeline:
    """Every event of the run on one clock."""
    return rmq_stack.timeline


def _make_ready(stack: Stack, marks: Marks) -> None:
    """A new cluster where the scenario asks for one or the old one can't be healed, and the variant that it asks for."""
    if stack.failed_rebuilds >= MOST_REBUILDS:
        pytest.exit(
            f"the stack could not be built anew {MOST_REBUILDS} times in a row: nothing more can be judged",
            returncode=pytest.ExitCode.TESTS_FAILED,
        )
    if stack.worn or (marks.fresh_cluster and stack.leases):
        stack.rebuild(marks.variant)
    else:
        variants.enter(stack, marks.variant)


def _chaos_of(stack: Stack) -> Chaos:
    return Chaos(stack.timeline, on_step=allure.step)


@pytest.fixture
def rmq_stage(request: pytest.FixtureRequest, rmq_stack: Stack) -> Stage:
    """A scenario's own lease of the stack; it is left, healed and judged inside the test's call."""
    marks = request.node.stash[MARKS]
    _make_ready(rmq_stack, marks)
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


_LEASE: pytest.StashKey[Any] = pytest.StashKey()
LEFT: pytest.StashKey[bool] = pytest.StashKey()
PLAY: pytest.StashKey[Observed] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Leave a scenario's lease inside its call phase, so that what does not come back whole fails the scenario itself."""
    if MARKS in pyfuncitem.stash and pyfuncitem.stash[MARKS].ids:
        _label(pyfuncitem)
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


def _label(item: pytest.Function) -> None:
    marks = item.stash[MARKS]
    first = marks.scenarios[0]
    chapter = f"{first.chapter} {CHAPTERS.get(first.chapter, 'Own scenarios')}"
    allure.label(ids=marks.ids, chapter=chapter, titles={s.id: s.title for s in marks.scenarios}, kind=marks.kind)


def _present_stage(item: pytest.Function) -> None:
    stage = item.stash[STAGE]
    _show(item, Observed.of(stage, result=None, error=None))


def _show(item: pytest.Item, seen: Observed) -> None:
    run = item.config.stash[RUN]
    try:
        item.stash[MEASURED] = present(seen, run.folder)
        item.user_properties += seen.properties()
        allure.write_performance(item.config.getoption("allure_report_dir", None), seen.name, seen.performance())
    except Exception as error:  # a picture that can't be drawn must not hide the verdict
        item.add_report_section(
            "call", "rmqha", f"no plot and no ledger for {seen.name}: {type(error).__name__}: {error}"
        )


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
            _make_ready(rmq_stack, marks)
            with lease(rmq_stack, play.__name__, lambda: _chaos_of(rmq_stack), marks.allowed_logs) as stage:
                yield stage

        seen = _rmq_observations.of(play, open_lease, variant=marks.variant)
        request.node.stash[PLAY] = seen
        _show(request.node, seen)
        return seen.outcome()

    return observe


@pytest.fixture
def rmq_budget(request: pytest.FixtureRequest) -> Budgets:
    """``rmq_budget("publishing", default)``: what ``rmq_slo`` states for this test, or else the default."""
    return Budgets(request.node.stash[MARKS].budgets)


@pytest.fixture
def rmq_cluster(rmq_stage: Stage) -> Cluster:
    """The brokers, in the scenario's own vhost."""
    return rmq_stage.cluster


@pytest.fixture
def rmq_balancers(rmq_stage: Stage) -> tuple[Balancer, ...]:
    """The balancers, in the order of the compose file."""
    return rmq_stage.balancers


@pytest.fixture
def rmq_vip(rmq_stage: Stage) -> Vip:
    """The virtual address."""
    return rmq_stage.vip


@pytest.fixture
def rmq_links(rmq_stage: Stage) -> Links:
    """The links between brokers."""
    return rmq_stage.links


@pytest.fixture
def rmq_chaos(rmq_stage: Stage) -> Chaos:
    """The only injector."""
    return rmq_stage.chaos


@pytest.fixture
def rmq_workload(rmq_stage: Stage) -> Callable[..., Any]:
    """``rmq_workload("queue", …)``: the standard load on declared queues."""
    return rmq_stage.workload


__all__ = [
    "_rmq_observations",
    "pytest_pyfunc_call",
    "rmq_balancers",
    "rmq_budget",
    "rmq_chaos",
    "rmq_cluster",
    "rmq_links",
    "rmq_observe",
    "rmq_settings",
    "rmq_stack",
    "rmq_stage",
    "rmq_timeline",
    "rmq_topology",
    "rmq_vip",
    "rmq_workload",
]
