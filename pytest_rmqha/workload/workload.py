"""The standard load W of a scenario: publishers, consumers and three quiet clients, all through the VIP.

Beside the load stand an *idle* client, a *held* consumer (keeps what it gets unacknowledged) and a *prober* that makes a
new connection twice a second: each of the three notices different faults.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_rmqha.errors import BudgetSpent, InvariantNotUpheld, NoVerdict
from pytest_rmqha.outside import ClientWire
from pytest_rmqha.timeline import Timeline
from pytest_rmqha.waiting import Budget, await_match, seconds
from pytest_rmqha.workload.history import HELD, IDLE, PROBER, History

Counters = Mapping[str, tuple[int, int]]
RATE = 150
HOLDS = 5
LATE = seconds(75)


@dataclass(frozen=True)
class Access:
    """How the load client reaches the stack."""

    host: str
    user: str
    password: str = field(repr=False)
    vhost: str = "/"
    port: int = 5672
    heartbeat: int = 20


@dataclass
class Workload:
    """``queues``: names of declared queues, one publisher and one consumer each. ``rate`` in messages per second and queue.

    ``pending(more)``: messages that wait in the queues, and in ``more``, which are consumed beside the load.

    A publisher connects anew when its oldest confirm is ``patience`` seconds late (None: as the client has it, 8 s).

    ``running()`` refuses to begin without a first confirm and a first delivery on each queue, and to end without progress
    after the faults. ``history`` is there once it has ended.
    """

    wire: ClientWire
    timeline: Timeline
    access: Access
    queues: tuple[str, ...]
    rate: int = RATE
    quiet_clients: bool = True
    window: int = 500
    patience: float | None = None
    pending: Callable[[Sequence[str]], int] = lambda _more: 0
    _history: History | None = None
    _prepared: bool = False
    _was_served: bool = False
    _holds: bool = False

    @property
    def queue(self) -> str:
        return self.queues[0]

    @property
    def history(self) -> History:
        if self._history is None:
            raise NoVerdict("the load has not ended yet (or never ran): there is no history to judge")
        return self._history

    @staticmethod
    def stream_of(queue: str) -> str:
        return f"p.{queue}"

    @contextlib.contextmanager
    def running(self, *, consume: bool = True, progress_within: Budget = seconds(40)) -> Iterator[Workload]:
        """Begin (first confirms and deliveries seen), do the body, see progress again, end and collect the history."""
        if not self._prepared:
            self.prepare()
        self._prepared = False
        if self.quiet_clients:
            self._start_quiet_clients()
        if consume:
            for queue in self.queues:
                self.wire.ask("consume", role=f"c.{queue}", queue=queue)
            if self.quiet_clients:
                self.wire.ask("consume", role=HELD, queue=self.queue, hold=True, prefetch=HOLDS)
                self._holds = True
        for queue in self.queues:
            self.wire.ask(
                "publish",
                stream=self.stream_of(queue),
                queue=queue,
                rate=self.rate,
                window=self.window,
                patience=self.patience,
            )
        self.await_progress(within=min(progress_within, seconds(20)), deliveries=consume)
        self._was_served = True
        try:
            yield self
        except BaseException:
            with contextlib.suppress(Exception):
                self._history = self._end(consume, settle=seconds(5))
            raise
        try:
            self.await_progress(within=progress_within, deliveries=consume)
        except (NoProgress, InvariantNotUpheld):
            with contextlib.suppress(Exception):
                self._history = self._end(consume, settle=seconds(5))
            raise
        self._history = self._end(consume, settle=seconds(20))

    def prepare(self) -> None:
        """A new, empty ledger and the target of everything that follows; done by ``running`` unless something is published before."""
        self._history = None
        self._prepared, self._was_served = True, False
        self.wire.ask("reset", within=30)
        a = self.access
        self.wire.ask(
            "open", host=a.host, port=a.port, user=a.user, password=a.password, vhost=a.vhost, heartbeat=a.heartbeat
        )

    def progress(self) -> Counters:
        """stream -> (confirmed, delivered) so far."""
        return _counters(self.wire.ask("progress", within=10)["streams"])

    def await_progress(self, *, within: Budget, deliveries: bool = True, streams: Sequence[str] | None = None) -> None:
        """Wait until each stream has new confirms (and deliveries) since now.

        In vain: InvariantNotUpheld when a load that was served before tries and gets no confirm, for then the stack does
        not serve its clients within the budget; NoProgress (no verdict) when it is the load itself that stands still.
        """
        at_first = self.wire.ask("progress", within=10)["streams"]
        before = _counters(at_first)
        wanted = streams or [self.stream_of(q) for q in self.queues]

        def idle() -> list[str]:
            current = self.progress()
            still = []
            for name in wanted:
                (confirmed, delivered), (was_confirmed, was_delivered) = (
                    current.get(name, (0, 0)),
                    before.get(name, (0, 0)),
                )
                if confirmed <= was_confirmed or (deliveries and delivered <= was_delivered):
                    new = f"{confirmed - was_confirmed} new confirms, {delivered - was_delivered} new deliveries"
                    still.append(f"{name}: {new}")
            return still

        try:
            with self.timeline.waiting("progress of the load"):
                await_match(
                    idle,
                    lambda names: not names,
                    what="progress (new confirms and deliveries) on every queue",
                    within=within,
                    error=NoProgress,
                )
        except NoProgress as stalled:
            refused = self._not_served(wanted, at_first) if self._was_served else []
            if refused:
                raise InvariantNotUpheld(f"clients are not served: {'; '.join(refused)}; {stalled}") from stalled
            raise

    def _not_served(self, wanted: Sequence[str], before: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Who tries in vain: publishers without a new confirm, their messages unanswered or refused, or without a connection;
        consumers without one. ``before``: what each stream told at first.
        """
        answer = self.wire.ask("progress", within=10)
        found = []
        for name, s in answer["streams"].items():
            was = before.get(name, {})
            is_served = int(s["confirmed"]) > int(was.get("confirmed", 0))
            refused = sum(int(s.get(how, 0)) - int(was.get(how, 0)) for how in ("nacked", "returned"))
            if name not in wanted or is_served or not s["alive"]:  # one that ended by itself is ours
                continue
            if not s["connected"]:
                found.append(f"{name} gets no connection")
            elif refused > 0:
                found.append(f"{name} had {refused} messages refused and none confirmed")
            elif int(s["waiting"]) > 0:
                found.append(f"{name} has {s['waiting']} messages without an answer")
        consumers = {f"c.{queue}" for queue in self.queues}
        roles = answer.get("roles", {})
        return found + [
            f"{name} gets no connection"
            for name, role in roles.items()
            if name in consumers and role["alive"] and role["connected"] is False
        ]

    def publish_some(
        self,
        queue: str,
        count: int,
        *,
        stream: str | None = None,
        host: str | None = None,
        within: Budget = seconds(30),
        **options: Any,
    ) -> None:
        """Publish exactly ``count`` messages more and wait until each has its answer."""
        name = stream or self.stream_of(queue)

        def answered() -> int:
            s = self.wire.ask("progress", within=10)["streams"].get(name, {})
            return int(s.get("confirmed", 0)) + int(s.get("nacked", 0)) + int(s.get("returned", 0))

        before = answered()
        self.wire.ask(
            "publish",
            stream=name,
            queue=queue,
            limit=count,
            host=host or self.access.host,
            window=self.window,
            rate=0,
            **options,
        )

        await_match(
            answered,
            lambda n: n >= before + count,
            what=f"{count} answered publishes to {queue}",
            within=within,
            error=NoProgress,
        )

    def collect(self, *, settle: Budget = seconds(20)) -> History:
        """Stop the publishers, let the consumers finish what is there, and take the ledger."""
        self._history = self._end(True, settle=settle)
        return self._history

    def leave_out(self, which: Callable[[str], bool]) -> None:
        """Take streams out of the history that no promise covers (transient messages), by stream name."""
        self._history = dataclasses.replace(
            self.history, streams=tuple(s for s in self.history.streams if not which(s.name))
        )

    def _start_quiet_clients(self) -> None:
        self.wire.ask("idle", role=IDLE)
        self.wire.ask("probe", role=PROBER, every=0.5, timeout=5)

    def _drain(self, settle: Budget) -> None:
        """Let the consumers finish. What a dead session still holds unacknowledged is *late*, not lost: wait for it.

        A VIP that moves away from a living haproxy leaves such sessions: nobody tells the broker, which holds their
        prefetched messages until two heartbeats (20 s each) have failed to come.
        """
        with self.timeline.waiting("what is on its way to the consumers"):
            answer = self.wire.ask("drain", within=settle.seconds + 15, quiet=1.0, **{"for": settle.seconds})
        if not int(answer["missing"]):
            return

        def held() -> int:
            nonlocal answer
            if self.pending(answer.get("queues", ())) == 0:
                return 0
            answer = self.wire.ask("drain", within=30, quiet=0.5, **{"for": 10.0})
            return int(answer["missing"])

        with self.timeline.waiting("messages that a dead session holds"), contextlib.suppress(BudgetSpent):
            await_match(held, lambda n: n == 0, what="messages that a dead session holds", within=LATE, every=0.5)

    def _end(self, drain: bool, *, settle: Budget) -> History:
        if self._holds:
            self.wire.ask("release", role=HELD, within=10)
            self._holds = False
        for stream in self.wire.ask("progress", within=10)["streams"]:
            self.wire.ask("stop", stream=stream, within=settle.seconds + 15)
        if drain:
            self._drain(settle)
        self.wire.ask("stop", role="*", within=30)
        return History.from_dump(self.wire.ask("dump", within=60)["dump"])


def _counters(streams: Mapping[str, Mapping[str, Any]]) -> Counters:
    return {name: (int(s["confirmed"]), int(s["delivered"])) for name, s in streams.items()}


class NoProgress(NoVerdict):
    """The load stood still when it had to move: without load there is no verdict."""
