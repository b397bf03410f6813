"""Links that are slow but not cut: 200 ms of latency on each direction of every link, for longer than any tick time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_rmqha import clock
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults.network import slowed
from pytest_rmqha.lease import Stage
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

LATENCY = 200
ENOUGH = 400  # 2.7 s at the load's rate
LONGER_THAN_ANY_TICK = 1.5  # silence is a partition after three quarters to five quarters of the tick time
TERM = (
    "lists:sum([element(2, M) || M <- ets:tab2list(ra_metrics), "
    'element(1, M) =:= {{resource, <<"{vhost}">>, queue, <<"{queue}">>}}]).'
)


@dataclass(frozen=True)
class Slow:
    """``confirm_*``: median wait for a confirm in seconds. ``looks``: answered views; ``missed``: what they had amiss.

    ``elections``: Raft terms that passed on the loaded quorum queue. Leaders by queue, Erlang names.
    """

    history: History
    tick_time: float
    held_for: float
    confirm_before: float
    confirm_during: float
    looks: int
    unanswered: int
    missed: tuple[str, ...]
    leaders_before: Mapping[str, str | None]
    leaders_after: Mapping[str, str | None]
    elections: int


def every_link_gets_200_ms_of_latency(stage: Stage) -> Slow:
    home, *_ = stage.cluster.nodes
    queues = (stage.mirrored("ha.load", home=home), stage.quorum("quorum.load", home=home))
    workload = stage.workload(*queues)
    before = {queue: stage.cluster.replicas(queue).leader for queue in queues}
    term, tick_time = _term(stage, home, "quorum.load"), home.tick_time()
    longer = tick_time * LONGER_THAN_ANY_TICK
    missed: list[str] = []
    answers = {"looks": 0, "unanswered": 0}

    with workload.running():
        _await_confirms(workload, ENOUGH)
        fast_until = clock.now()
        with stage.chaos.inject(slowed(stage.cluster, stage.links.all, milliseconds=LATENCY)):
            slow_from = clock.now()
            with stage.timeline.waiting("slow for longer than any tick time"):
                await_match(
                    lambda: _look(stage, answers, missed),
                    lambda at: at >= slow_from + longer,
                    what="more than a tick time of latency",
                    within=seconds(longer + 30),
                    every=0.5,
                )
            workload.await_progress(within=seconds(15))
            slow_until = clock.now()
        after = {queue: stage.cluster.replicas(queue).leader for queue in queues}
        elections = _term(stage, home, "quorum.load") - term
    history = workload.history
    return Slow(
        history,
        tick_time,
        slow_until - slow_from,
        _median_confirm(history, history.window[0], fast_until),
        _median_confirm(history, slow_from + 1, slow_until),
        answers["looks"],
        answers["unanswered"],
        tuple(missed),
        before,
        after,
        elections,
    )


def _await_confirms(workload: Workload, count: int) -> None:
    """More confirms on every queue, at the load's own rate: the time before the fault, to compare with."""
    wanted = {stream: confirmed + count for stream, (confirmed, _) in workload.progress().items()}
    await_match(
        workload.progress,
        lambda counters: all(counters[stream][0] >= least for stream, least in wanted.items()),
        what=f"{count} more confirms on every queue",
        within=seconds(20),
    )


def _look(stage: Stage, answers: dict[str, int], missed: list[str]) -> float:
    """Each broker's view of all; what is not as it should be is written down. Answers with the time."""
    for node in stage.cluster.nodes:
        try:
            view = node.api.get("nodes", timeout=8)
        except HarnessError:
            answers["unanswered"] += 1
            continue
        answers["looks"] += 1
        missed += [f"{node}: {n['name']} not running" for n in view if not n.get("running")]
        missed += [f"{node}: {n['name']} partitioned from {n['partitions']}" for n in view if n.get("partitions")]
    return clock.now()


def _term(stage: Stage, node: Node, queue: str) -> int:
    """The Raft term of a quorum queue as its member on ``node`` has it (each election is at least one more).

    The row comes with the member's first tick, some seconds after the declaration.
    """
    ask = TERM.format(vhost=stage.cluster.vhost, queue=queue)
    return await_match(
        lambda: int(node.containers.must(node.service, "rabbitmqctl", "eval", ask)),
        lambda term: term > 0,
        what=f"a Raft term of {queue} on {node}",
        within=seconds(15),
        every=0.5,
        ignore=(HarnessError, ValueError),
    )


def _median_confirm(history: History, start: float, end: float) -> float:
    """Of the waits that ended in a second that lies wholly within the stretch; 0 if there was none."""
    steps = sorted(
        step
        for second, found in history.latencies.get("publish", ())
        if start <= second and second + 1 <= end
        for step in found
    )
    half = sum(count for _, count in steps) / 2
    for micros, count in steps:
        half -= count
        if half <= 0:
            return micros / 1e6
    return 0.0
