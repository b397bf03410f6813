"""The session's one stack: brought up for the first scenario that asks for it, and taken down or kept at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pytest_rmqha import failure_evidence, live, resuming
from pytest_rmqha.adapters import allure, versions
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.errors import HarnessError, StackNotUp, UserInputError
from pytest_rmqha.journal import Journal
from pytest_rmqha.leaving import leave_or_keep
from pytest_rmqha.not_up import doubts, judged
from pytest_rmqha.opening import checked, facts_of, facts_of_files, make_stack, stand_up
from pytest_rmqha.session_report import RUN
from pytest_rmqha.settings import Settings
from pytest_rmqha.sigterm import CLEAN_STOP
from pytest_rmqha.status import LoadRates
from pytest_rmqha.topology import Topology

STACK: pytest.StashKey[Stack] = pytest.StashKey()
"""Of the session, once the stack is in steady state."""


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
