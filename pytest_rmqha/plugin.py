"""The pytest plugin: options, header, markers, which scenarios run and in which order, and what they came to.

Thin on purpose: each hook hands over to ``settings``, ``markers``, ``selection``, ``scenario_record``,
``session_report``, ``manifest``, ``plan``, ``resuming`` and ``live``. Fixtures are in ``session_stack``,
``scenario_lease``, ``fixtures`` and ``randomness``.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_rmqha import hookspecs, live, manifest, plan, readiness, resuming, running_manifest, selection, shards
from pytest_rmqha.capabilities import Lack
from pytest_rmqha.catalogue import Scenario
from pytest_rmqha.config.members import files_of_members
from pytest_rmqha.config.origin import left_out, not_judged, origin_lines
from pytest_rmqha.errors import HarnessError, UserInputError
from pytest_rmqha.estimates import Estimates
from pytest_rmqha.markers import MARKERS, MARKS, read
from pytest_rmqha.opening import configuration_folders, images_stated
from pytest_rmqha.plays import plays_of
from pytest_rmqha.runs import newest_first
from pytest_rmqha.scenario_record import (
    held_to_a_verdict,
    is_red,
    is_scenario,
    left_by,
    note_phase,
    record_of,
    refuse_unwatched,
)
from pytest_rmqha.session_report import (
    LEFT_OUT,
    PASSED,
    RECORDS,
    RUN,
    SETTINGS,
    TOPOLOGY,
    LeftOut,
    Run,
    left_out_lines,
    summary,
)
from pytest_rmqha.settings import KNOBS, Knob, Settings, resolve
from pytest_rmqha.sigterm import CLEAN_STOP, CleanStop
from pytest_rmqha.topology import Topology
from pytest_rmqha.waiting import scale_budgets

# A module comes after those that it imports: pytest can't rewrite the assertions of what was imported before.
pytest_plugins = (
    "pytest_rmqha.session_stack",
    "pytest_rmqha.scenario_lease",
    "pytest_rmqha.fixtures",
    "pytest_rmqha.randomness",
)

DROPPED = "rmqha_dropped_scenarios"
PARALLEL: pytest.StashKey[bool] = pytest.StashKey()
CHOSEN: pytest.StashKey[list[pytest.Item]] = pytest.StashKey()
ACCEPTED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rmqha", "RabbitMQ high availability")
    for knob in KNOBS:
        text = f"{knob.help} (environment {knob.environment}, ini {knob.ini}" + (
            f", default {knob.default})" if knob.default else ")"
        )
        if knob.is_flag:
            group.addoption(knob.option, dest=knob.ini, action="store_const", const="1", default=None, help=text)
        else:
            group.addoption(knob.option, dest=knob.ini, metavar=knob.metavar, default=None, help=text)
        parser.addini(knob.ini, knob.help, default="")


def settings_of(config: pytest.Config) -> Settings:
    """The checked settings of a session."""

    def option(knob: Knob) -> str | None:
        value = config.getoption(knob.ini)
        return None if value is None else str(value)

    def ini(knob: Knob) -> str | None:
        return str(config.getini(knob.ini)) or None

    beside_ini = config.inipath.parent if config.inipath else config.rootpath
    return resolve(option, os.environ, ini, here=config.invocation_params.dir, beside_ini=beside_ini)


def pytest_configure(config: pytest.Config) -> None:
    for function in MARKERS.values():
        config.addinivalue_line("markers", " ".join((function.__doc__ or "").split()))
    try:
        settings = resuming.begin(config, settings_of(config))
    except UserInputError as error:
        raise pytest.UsageError(str(error)) from None
    started = time.time()
    name = f"{datetime.fromtimestamp(started, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    rerun = settings.rerun_command([str(argument) for argument in config.invocation_params.args])
    scale_budgets(settings.budget_scale)
    config.stash[SETTINGS] = settings
    config.stash[RUN] = Run(name, settings.reports / name, started, rerun)
    config.stash[RECORDS] = []
    config.stash[LEFT_OUT] = []
    if not hasattr(config, "workerinput"):
        config.stash[CLEAN_STOP] = CleanStop()
        config.stash[CLEAN_STOP].install()
        if settings.deadline is not None and not _only_looking(config):
            config.stash[CLEAN_STOP].end_after(settings.deadline)
        live.prepare(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    scale_budgets(1.0)
    live.end(config)
    if CLEAN_STOP in config.stash:
        config.stash[CLEAN_STOP].restore()


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash[SETTINGS].header()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Whose files are judged, member by member: the topology is known only now."""
    settings = config.stash[SETTINGS]
    if TOPOLOGY not in config.stash:
        return []
    shape, folders = config.stash[TOPOLOGY], configuration_folders(settings)
    images = [f"image of the {role}s: {tag}, as the compose file says" for role, tag in images_stated(settings, shape)]
    if settings.config is None:
        ours = (
            [] if settings.is_reference else ["configuration: all of it from the reference; --rmq-config brings yours"]
        )
        return [*images, *ours]
    files = files_of_members(shape, folders, settings.config)
    brokers = {broker.service: files[broker.service] for broker in shape.brokers}
    lines = [*origin_lines(settings.config, files), *left_out(folders, settings.config, brokers)]
    return [*images, *lines, *not_judged(settings.config, shape)]


def _only_looking(config: pytest.Config) -> bool:
    return config.stash[SETTINGS].plan or bool(config.getoption("collectonly"))


@pytest.hookimpl(trylast=True)
def pytest_rmqha_topology(config: pytest.Config) -> Topology:
    return selection.declared_topology(config.stash[SETTINGS], with_docker=not _only_looking(config))


def _own_scenarios(config: pytest.Config) -> dict[str, Scenario]:
    return {scenario.id: scenario for found in config.hook.pytest_rmqha_scenarios(config=config) for scenario in found}


def _own_capabilities(config: pytest.Config) -> dict[str, Lack]:
    return {
        name: lack for found in config.hook.pytest_rmqha_capabilities(config=config) for name, lack in found.items()
    }


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    yield
    capabilities = _own_capabilities(config)
    ours = selection.read_marks(items, _own_scenarios(config), capabilities)
    if not ours and not resuming.is_asked(config):
        return
    if hasattr(config, "workerinput"):
        selection.put_back(items, ours, [])
        getattr(config, "workeroutput", {})[DROPPED] = True
        return
    selection.refuse_repeats(config)
    try:
        if not ours:
            resuming.refuse_nothing(config)
        shape = config.hook.pytest_rmqha_topology(config=config)
        config.stash[TOPOLOGY] = shape
        readiness.refuse_files(config.stash[SETTINGS], shape)
        settled = resuming.settled(config).settled
        found = selection.select(ours, config.stash[SETTINGS], shape, capabilities, settled)
        selection.refuse_mixed_plays(found.runs)
        resuming.refuse_less(config, found.runs)
        if not _only_looking(config) and any("rmq_stack" in getattr(item, "fixturenames", ()) for item in found.runs):
            readiness.refuse_machine(config.stash[SETTINGS], shape)
    except (UserInputError, HarnessError) as error:
        raise pytest.UsageError(str(error)) from None
    shard = config.stash[SETTINGS].shard
    if shard is not None:
        whole = {"index": shard.index, "count": shard.count, "of": shards.digest(found.whole)}
        config.stash[RUN].facts["shard"] = whole
    config.stash[LEFT_OUT] += found.reasons
    selection.put_back(items, ours, selection.in_order(found.runs))
    if found.out:
        config.hook.pytest_deselected(items=found.out)
    config.stash[ACCEPTED] = True


def _estimates(config: pytest.Config) -> Estimates:
    settings = config.stash[SETTINGS]
    return Estimates(newest_first(settings.reports), topology=settings.topology, version=settings.version)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """What -k, -m and --deselect leave out is listed too."""
    for item in items:
        left_out = item.config.stash[LEFT_OUT]
        marks, _ = read(item, _own_scenarios(item.config))
        if marks.ids and item.nodeid not in {one.nodeid for one in left_out}:
            left_out.append(LeftOut(item.nodeid, marks.ids, selection.NOT_CHOSEN))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    return True if session.config.stash[SETTINGS].plan else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Also called for a session that was refused: that one has no run and writes nothing."""
    config = session.config
    config.stash[CHOSEN] = chosen = [item for item in session.items if is_scenario(item)]
    if chosen and not _only_looking(config) and not hasattr(config, "workerinput"):
        live.begin(config, chosen, _estimates(config))
        if ACCEPTED in config.stash:
            running_manifest.note(config, [item.nodeid for item in chosen])


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Innermost, so that only the test's own verdicts count: the audit that follows is nobody's assertion."""
    if not is_scenario(pyfuncitem):
        return (yield)
    with held_to_a_verdict(pyfuncitem):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """A scenario whose fixture skips has no verdict, in every report."""
    try:
        return (yield)
    except pytest.skip.Exception as left:
        if not is_scenario(item):
            raise
        raise left_by(left) from None


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A scenario that is no plain function ran unwatched: that is no verdict, in every report."""
    result = yield
    if is_scenario(item):
        refuse_unwatched(item)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    record = note_phase(item, call) if is_scenario(item) else None
    report = yield
    if record is not None or (is_scenario(item) and is_red(item)):
        records = item.config.stash[RECORDS]
        records[:] = [known for known in records if known.nodeid != item.nodeid] + [record or record_of(item)]
        running_manifest.note(item.config, [chosen.nodeid for chosen in item.config.stash[CHOSEN]])
    if record is not None:
        item.config.hook.pytest_rmqha_scenario_ended(config=item.config, record=record)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist says that it had scenarios: an error there could not stop the session in plain words."""
    if getattr(node, "workeroutput", {}).get(DROPPED):
        node.config.stash[PARALLEL] = True


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A scenario without a verdict is red whatever pytest calls it. The manifest comes last."""
    config = session.config
    if CLEAN_STOP in config.stash:
        config.stash[CLEAN_STOP].forget_deadline()
    if config.stash.get(PARALLEL, False):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    records = config.stash.get(RECORDS, [])
    if resuming.is_red(config) and not _only_looking(config):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    chosen = [item.nodeid for item in config.stash.get(CHOSEN, [])]
    if not chosen or ACCEPTED not in config.stash or _only_looking(config) or hasattr(config, "workerinput"):
        return
    if session.exitstatus == pytest.ExitCode.OK and any(record.outcome != PASSED for record in records):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    run = config.stash[RUN]
    if ended_by := config.stash[CLEAN_STOP].ended_by:
        run.facts["ended_by"] = ended_by
    built = running_manifest.built(config, chosen, int(session.exitstatus))
    config.hook.pytest_rmqha_manifest(config=config, manifest=built)
    try:
        manifest.write(run.folder, built)
    except OSError as error:
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        raise pytest.UsageError(f"the evidence of the run could not be written to {run.folder}: {error}") from error


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash.get(PARALLEL, False):
        terminalreporter.write_line(f"ERROR: {selection.PARALLEL}", red=True)
    chosen = config.stash.get(CHOSEN, [])
    left_out, records = config.stash[LEFT_OUT], config.stash[RECORDS]
    if not chosen and not left_out:
        return
    if _only_looking(config):
        terminalreporter.section("RabbitMQ HA plan")
        planned = plan.plan_lines(plays_of(chosen), config.stash[SETTINGS], _estimates(config))
        lines = [*planned, *resuming.lines(config), *left_out_lines(left_out)]
    else:
        done = {record.nodeid for record in records}
        waiting = dict.fromkeys(name for item in chosen if item.nodeid not in done for name in item.stash[MARKS].ids)
        terminalreporter.section("RabbitMQ HA verdict")
        ended_by = config.stash[CLEAN_STOP].ended_by if CLEAN_STOP in config.stash else ""
        lines = [f"ENDED: {ended_by}"] if ended_by else []
        lines += [*resuming.lines(config), *summary(records, left_out, list(waiting), config.stash[RUN])]
    for line in lines:
        terminalreporter.write_line(line)
