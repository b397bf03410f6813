"""Confirmed and audited messages a second through the VIP: the load client against a plain pika script in its place.

Same container, same way, same kind of queue, same window, same length of body. *Audited*: of the load client only what
was confirmed and is found delivered, by the judgement of the usual checkers, counts; a loss ends the measurement.
Limit: on a machine whose cores the brokers fill, both are as fast as the brokers are, and the ratio is near 1.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_rmqha.adapters.engine import FileToPut
from pytest_rmqha.adapters.stack import Stack
from pytest_rmqha.chaos import Chaos
from pytest_rmqha.checkers.delivery import nothing_comes_from_nowhere, nothing_confirmed_is_lost, repeats_say_so
from pytest_rmqha.checkers.verdict import verify
from pytest_rmqha.cluster import Node
from pytest_rmqha.expectations.line import Line
from pytest_rmqha.lease import LOAD_USER, Stage, lease
from pytest_rmqha.waiting import seconds
from pytest_rmqha.workload.workload import Workload
from scripts.bench.row import AT_LEAST, Row

LEAST = 0.9
EDGE = 1.0
CLIENT = "rmqha-client"
SCRIPT, ASKED = "/tmp/bare_client.py", "/tmp/bare_client.json"  # noqa: S108  inside the container
Buckets = Sequence[tuple[float, int]]


@dataclass(frozen=True)
class Plan:
    """``length``: seconds of load each; ``window``: unconfirmed messages; every measurement is done ``rounds`` times.

    A client that the balancer happens to put on its queue's leader is faster, and a balancer that hands out brokers in turn
    would do that to the same client in every round. So each round's queue is led by another broker, counted backwards
    because a round with consumers takes one turn more than there are brokers, and means are compared. Rounds of one kind differ
    by up to a third, so there are many short ones.
    """

    rounds: int = 9
    length: float = 6.0
    window: int = 1000


def rate_of(buckets: Buckets, bucket: float = 0.2, edge: float = EDGE) -> float:
    """Messages a second, without the first and the last ``edge`` seconds; a bucket without messages counts as time.

    ``buckets``: (start, count), as a history's ``rates`` are. ValueError when nothing is left between the edges.
    """
    if not buckets:
        raise ValueError("nothing was counted")
    first, last = buckets[0][0] + edge, buckets[-1][0] + bucket - edge
    inside = [(start, count) for start, count in buckets if start >= first - 1e-6 and start + bucket <= last + 1e-6]
    if not inside:
        raise ValueError(f"{last - first + 2 * edge:.1f} s of load leave nothing between edges of {edge:g} s")
    return sum(count for _, count in inside) / (inside[-1][0] + bucket - inside[0][0])


def rate_of_samples(samples: Sequence[Sequence[float]], column: int = 1, edge: float = EDGE) -> float:
    """Messages a second between the first sample after and the last before an ``edge``; samples are (time, totals...)."""
    if len(samples) < 2:
        raise ValueError("the script was gone before it counted")
    inside = [s for s in samples if samples[0][0] + edge <= s[0] <= samples[-1][0] - edge]
    if len(inside) < 2:
        raise ValueError(f"{samples[-1][0] - samples[0][0]:.1f} s of load leave nothing between edges of {edge:g} s")
    return (inside[-1][column] - inside[0][column]) / (inside[-1][0] - inside[0][0])


def measure(stack: Stack, plan: Plan, line: str) -> list[Row]:
    """A row for each kind of queue, without and with a consumer. Ours and the script's take turns."""
    rows = []
    with lease(stack, "bench-rates", lambda: Chaos(stack.timeline)) as stage:
        kinds: dict[str, Callable[[str, Node], str]] = {"quorum": lambda name, home: stage.quorum(name, home=home)}
        if Line(line).has_mirrors:
            kinds["mirrored"] = lambda name, home: stage.mirrored(name, home=home)
        for kind, declare in kinds.items():
            for consume in (False, True):
                ours, bare = [], []
                for number in range(plan.rounds):
                    name = f"bench.{kind}.{'both' if consume else 'publish'}.{number}"
                    home = stage.cluster.nodes[-number % len(stage.cluster.nodes)]
                    ours.append(of_the_load_client(stage, declare(f"{name}.ours", home), plan, consume))
                    bare.append(of_the_script(stack, stage, declare(f"{name}.bare", home), plan, consume))
                rows.append(_row(f"{kind} queue, {'published and consumed' if consume else 'published'}", ours, bare))
    return rows


def _row(what: str, ours: Sequence[float], bare: Sequence[float]) -> Row:
    a, b = statistics.fmean(ours), statistics.fmean(bare)
    detail = {"ours": f"{a:.0f}/s", "bare": f"{b:.0f}/s", "all of ours": _all(ours), "all bare": _all(bare)}
    return Row(f"rate, {what}", a / b, "", AT_LEAST, LEAST, detail)


def _all(rates: Sequence[float]) -> str:
    return " ".join(f"{rate:.0f}" for rate in rates)


def of_the_load_client(stage: Stage, queue: str, plan: Plan, consume: bool) -> float:
    """Confirms a second. Without a consumer what was published is consumed after the clock, and judged the same."""
    load = stage.workload(queue, rate=0, window=plan.window, quiet_clients=False)
    stream, consumer = Workload.stream_of(queue), f"c.{queue}"
    load.prepare()
    if consume:
        load.wire.ask("consume", role=consumer, queue=queue)
    load.wire.ask("publish", stream=stream, queue=queue, rate=0, window=plan.window)
    load.await_progress(within=seconds(20), deliveries=consume)
    time.sleep(plan.length)
    load.wire.ask("stop", stream=stream, within=30)
    if not consume:
        load.wire.ask("consume", role=consumer, queue=queue)
    history = load.collect(settle=seconds(120))
    verify(history, nothing_confirmed_is_lost, nothing_comes_from_nowhere, repeats_say_so)
    return rate_of(history.rates["publish"])


def of_the_script(stack: Stack, stage: Stage, queue: str, plan: Plan, consume: bool) -> float:
    """Confirms a second of bare_client.py in the load client's container. Its password is in a file, not in its arguments."""
    asked: dict[str, Any] = {
        "host": stack.front,
        "user": LOAD_USER,
        "password": stack.load_password,
        "vhost": stage.cluster.vhost,
        "queue": queue,
        "window": plan.window,
        "seconds": plan.length,
        "consume": consume,
    }
    script = (Path(__file__).parent / "bare_client.py").read_bytes()
    stack.engine.put(CLIENT, [FileToPut(SCRIPT, script), FileToPut(ASKED, json.dumps(asked).encode(), 0o600)])
    samples = json.loads(stack.engine.must(CLIENT, "python3", SCRIPT, ASKED, within=plan.length + 60))
    return rate_of_samples(samples)
