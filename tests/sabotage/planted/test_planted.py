"""Ordinary scenarios with a planted defect each, beside their twins without. Run by tests/sabotage, never by themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from conftest import replaced
from pytest_rmqha import clock
from pytest_rmqha.adapters import http
from pytest_rmqha.adapters.engine import Engine
from pytest_rmqha.adapters.toxiproxy import Proxies
from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.ordering import order_is_kept
from pytest_rmqha.checkers.verdict import judge, verify
from pytest_rmqha.checkers.vip import one_holder_outside_transitions
from pytest_rmqha.faults.network import isolated
from pytest_rmqha.faults.node import killed
from pytest_rmqha.lease import Stage
from pytest_rmqha.links import Link
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History

pytestmark = pytest.mark.rmq_scenario("N1")
ENOUGH = 450


def ordinary_load(stage: Stage) -> None:
    workload = stage.workload(stage.mirrored("ha.load"), rate=300)
    stream = workload.stream_of("ha.load")

    with workload.running(progress_within=seconds(6)):
        await_match(
            lambda: workload.progress()[stream][0], lambda n: n > ENOUGH, what=f"{ENOUGH} confirms", within=seconds(10)
        )

    verify(workload.history, nothing_confirmed_is_lost, nothing_comes_from_nowhere, repeats_say_so, order_is_kept)


def ordinary_kill(stage: Stage) -> None:
    victim = stage.cluster.nodes[2]
    workload = stage.workload(stage.mirrored("ha.load", home=victim))
    fault = dataclasses.replace(killed(stage.cluster, victim), within=seconds(5))

    with workload.running(), stage.chaos.inject(fault):
        stage.cluster.await_leader("ha.load", other_than=victim, within=seconds(15))

    verify(workload.history, nothing_confirmed_is_lost)


def ordinary_cut(stage: Stage) -> None:
    victim = stage.cluster.nodes[2]
    workload = stage.workload(stage.mirrored("ha.load"))
    fault = dataclasses.replace(
        isolated(stage.cluster, stage.links, victim), within=seconds(5), gone_within=seconds(15)
    )

    with workload.running(), stage.chaos.inject(fault):
        await_match(victim.answers, lambda yes: not yes, what=f"{victim} paused", within=seconds(10))

    verify(workload.history, nothing_confirmed_is_lost)


def ordinary_vip(stage: Stage) -> None:
    began = clock.now()
    await_match(
        lambda: clock.now() - began, lambda passed: passed > 5, what="five seconds of watching", within=seconds(9)
    )

    window = (stage.started, clock.now())
    judge(one_holder_outside_transitions(stage.timeline.events, seconds(2), window=window))


def test_the_ordinary_load(rmq_stage: Stage) -> None:
    ordinary_load(rmq_stage)


def test_the_ordinary_kill(rmq_stage: Stage) -> None:
    ordinary_kill(rmq_stage)


def test_the_ordinary_cut(rmq_stage: Stage) -> None:
    ordinary_cut(rmq_stage)


def test_the_ordinary_vip(rmq_stage: Stage) -> None:
    ordinary_vip(rmq_stage)


def test_a_deaf_kill(rmq_stage: Stage) -> None:
    with replaced(Engine, "kill", lambda self, service, signal="SIGKILL": None):
        ordinary_kill(rmq_stage)


def test_a_cut_whose_api_answers_500(rmq_stage: Stage) -> None:
    class Refusing:
        status_code, text, content = 500, "planted", b"planted"

    def request(method: str, url: str, **options: Any) -> Any:
        return Refusing() if method == "POST" else real(method, url, **options)

    real = http.ask
    with replaced(http, "ask", request):
        ordinary_cut(rmq_stage)


def test_a_cut_that_says_yes_and_does_nothing(rmq_stage: Stage) -> None:
    def deaf(self: Proxies, method: str, path: str, body: Any = None) -> Any:
        return real(self, method, path, body) if method == "GET" else {}

    real = Proxies._ask
    with replaced(Proxies, "_ask", deaf):
        ordinary_cut(rmq_stage)


def test_a_cut_that_says_yes_and_closes_nothing(rmq_stage: Stage) -> None:
    """Nothing is swallowed before: lifting that closes connections for an instant, which a cluster may not outlive."""

    def deaf(self: Proxies, method: str, path: str, body: Any = None) -> Any:
        return {} if path == "/populate" else real(self, method, path, body)

    real = Proxies._ask
    with replaced(Proxies, "_ask", deaf), replaced(Link, "swallow", lambda self: None):
        ordinary_cut(rmq_stage)


def test_a_heal_that_sticks(rmq_stage: Stage) -> None:
    def sticking(self: Proxies, name: str, on: bool) -> None:
        if not on:
            real(self, name, on)

    real = Proxies.enable
    with replaced(Proxies, "enable", sticking):
        ordinary_cut(rmq_stage)


def test_a_load_that_never_publishes(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("never-publish")
    ordinary_load(rmq_stage)


def test_a_consumer_that_stalls(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("stall-consumer")
    ordinary_load(rmq_stage)


def test_a_broker_that_loses_a_message(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("lose-one")
    ordinary_load(rmq_stage)


def test_a_broker_that_invents_a_message(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("invent-one")
    ordinary_load(rmq_stage)


def test_a_broker_that_duplicates_without_the_flag(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("duplicate-unflagged")
    ordinary_load(rmq_stage)


def test_a_broker_that_reorders_a_message(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("reorder-one")
    ordinary_load(rmq_stage)


def test_a_ledger_that_hears_nothing(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("deaf-ledger")
    ordinary_load(rmq_stage)


def test_a_vip_held_twice(rmq_stage: Stage) -> None:
    vip = rmq_stage.vip
    other = vip.other(vip.holder())
    address = (f"{vip.address}/24", "dev", "eth0")
    other.containers.must(other.service, "ip", "addr", "add", *address)
    try:
        ordinary_vip(rmq_stage)
    finally:
        other.containers.must(other.service, "ip", "addr", "del", *address)


def test_a_checker_with_an_empty_history(rmq_stage: Stage) -> None:
    verify(History(streams=()), nothing_confirmed_is_lost)


def test_a_scenario_that_asserts_nothing(rmq_stage: Stage) -> None:
    rmq_stage.cluster.declare("nothing.is.asked.of.it")


def test_a_broker_that_dies_by_itself_and_is_back(rmq_stage: Stage) -> None:
    victim = rmq_stage.cluster.nodes[2]
    workload = rmq_stage.workload(rmq_stage.mirrored("ha.load"))

    with workload.running():
        victim.containers.must(victim.service, "sh", "-c", "kill -KILL $(pidof beam.smp)")
        await_match(victim.answers, lambda yes: not yes, what=f"{victim} dead", within=seconds(5))
        rmq_stage.cluster.await_rejoined(victim)

    verify(workload.history, nothing_confirmed_is_lost)


def test_a_watcher_that_died(rmq_stage: Stage, rmq_stack: Any) -> None:
    def ends_its_thread() -> Any:
        raise SystemExit

    watch = rmq_stack.watchers.running[0]
    with replaced(watch, "_look", ends_its_thread):
        await_match(lambda: watch.is_blind, bool, what="the watcher dead", within=seconds(5))
    ordinary_load(rmq_stage)


def test_a_client_that_dies(rmq_stage: Stage, in_the_client: Any) -> None:
    in_the_client("die-mid-scenario")
    ordinary_load(rmq_stage)
