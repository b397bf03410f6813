"""A prefetched batch that its consumer holds unacknowledged while the queue's leader is struck."""

from __future__ import annotations

from collections import Counter

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import InvariantNotUpheld, ToolFailed
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import Stream
from pytest_rmqha.workload.workload import Workload

BATCH = 50


def hold_a_batch(workload: Workload, queue: str, on: Node, *, reconnect: bool = True) -> None:
    """Publish the batch (stream ``batch.<queue>``) and hold all of it in one consumer, connected to ``on`` itself."""
    stream = f"batch.{queue}"
    workload.publish_some(queue, BATCH, stream=stream)
    workload.wire.ask(
        "consume",
        role=f"holder.{queue}",
        queue=queue,
        host=on.address,
        hold=True,
        prefetch=2 * BATCH,
        reconnect=reconnect,
    )
    await_match(
        lambda: workload.progress()[stream][1],
        lambda held: held == BATCH,
        what=f"the whole batch of {queue} held by its consumer",
        within=seconds(15),
    )


def await_redelivered(workload: Workload, queue: str) -> int:
    """How many of the batch have come a second time to the consumer that holds it; all of them are waited for."""

    def again() -> int:
        return _stream(workload, f"batch.{queue}").repeated.count()

    return await_match(
        again,
        lambda repeated: repeated >= BATCH,
        what=f"the batch of {queue} delivered again",
        within=seconds(20),
        error=InvariantNotUpheld,
    )


def delivery_counts(cluster: Cluster, queue: str, via: Node) -> dict[int, int]:
    """x-delivery-count -> messages that say so, read once through the API and put back (which counts as one more).

    A quorum queue takes a dead consumer's messages back in one step, so the first answer with any has them all.
    """

    def peek() -> list[dict[str, object]]:
        body = {"count": 2 * BATCH, "ackmode": "reject_requeue_true", "encoding": "auto"}
        return list(via.api.ask("POST", f"queues/{cluster.vhost}/{queue}/get", body, timeout=10))

    found = await_match(
        peek,
        bool,
        what=f"the batch of {queue} back in the queue",
        within=seconds(20),
        every=0.5,
        ignore=(ToolFailed, KeyError),
        error=InvariantNotUpheld,
    )
    return dict(Counter(_delivery_count(message) for message in found))


def let_go(workload: Workload, queue: str) -> None:
    """End the holder and consume what it held."""
    workload.wire.ask("stop", role=f"holder.{queue}", within=30)
    workload.wire.ask("consume", role=f"c.{queue}", queue=queue)


def _delivery_count(message: dict[str, object]) -> int:
    properties = message.get("properties")
    headers = properties.get("headers", {}) if isinstance(properties, dict) else {}
    return int(headers.get("x-delivery-count", 0))


def _stream(workload: Workload, name: str) -> Stream:
    dump = workload.wire.ask("dump", within=60)["dump"]
    return next(Stream.of(s) for s in dump["streams"] if s["name"] == name)
