"""A load in one vhost while permissions are taken, messages pile up and the whole vhost disappears next door.

Both vhosts have a queue of the same name, so that a message which took the wrong door is seen.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.lease import LOAD_USER, Stage
from pytest_rmqha.outside import BrokerApi
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History
from pytest_rmqha.workload.workload import Workload

QUEUE = "ha.load"
NEXT_DOOR = 200
PARKED, DOOMED, CONSUMER = "next-door.parked", "next-door.doomed", "c.next-door"


@dataclass(frozen=True)
class Neighbours:
    """``strayed``: messages for next door that this vhost's consumers got, of ``parked``; ``arrived``: next door, later.

    ``refused``: what the load user was told there without permissions. ``disturbed``: clients of this vhost that were cut
    off meanwhile; ``doomed_attempted``: messages sent to next door before it was deleted.
    """

    history: History
    parked: int
    strayed: int
    arrived: int
    refused: str
    doomed_attempted: int
    doomed_cut_off: bool
    disturbed: tuple[str, ...]


def the_vhost_next_door_is_struck(stage: Stage) -> Neighbours:
    home = stage.cluster.nodes[0]
    api, other = home.api, f"{stage.cluster.vhost}.next"
    workload = stage.workload(stage.mirrored(QUEUE, home=home), stage.quorum("quorum.load", home=home))
    workload.prepare()
    try:
        _furnish(api, other)
        with workload.running():
            with _inside(workload, other):
                workload.publish_some(QUEUE, NEXT_DOOR, stream=PARKED)
            workload.await_progress(within=seconds(10))
            strayed = workload.progress()[PARKED][1]
            with stage.chaos.inject(_permissions_taken(api, other)), _inside(workload, other):
                refused = _declare(workload)
            with _inside(workload, other):
                arrived = _consume_what_is_parked(workload)
                workload.wire.ask("publish", stream=DOOMED, queue=QUEUE, rate=100, confirms=False)
                _await_attempts(workload, DOOMED)
            with stage.chaos.inject(_deleted(api, other)):
                cut_off = _await_cut_off(stage, DOOMED)
                workload.await_progress(within=seconds(10))
            attempted, disturbed = _attempted(workload, DOOMED), _disturbed(stage)
    finally:
        api.delete_vhost(other)
    workload.leave_out(lambda stream: stream == DOOMED)
    history = _without_the_waits_of(workload.history, DOOMED)
    return Neighbours(history, NEXT_DOOR, strayed, arrived, refused, attempted, cut_off, disturbed)


def _furnish(api: BrokerApi, vhost: str) -> None:
    """A vhost with the load user in it and a queue that is called like the one here."""
    api.put_vhost(vhost)
    for user in ("rmqha-admin", LOAD_USER):
        api.put_permissions(vhost, user)
    api.put_queue(vhost, QUEUE, {})


@contextlib.contextmanager
def _inside(workload: Workload, vhost: str) -> Iterator[None]:
    """What is asked of the load client in this block happens in another vhost; roles that run stay where they are."""
    _open(workload, vhost)
    try:
        yield
    finally:
        _open(workload, workload.access.vhost)


def _open(workload: Workload, vhost: str) -> None:
    a = workload.access
    workload.wire.ask(
        "open", host=a.host, port=a.port, user=a.user, password=a.password, vhost=vhost, heartbeat=a.heartbeat
    )


def _permissions_taken(api: BrokerApi, vhost: str) -> Fault:
    """The load user may do nothing next door; given back afterwards."""

    def is_allowed() -> bool:
        return any(p["user"] == LOAD_USER for p in api.get(f"vhosts/{vhost}/permissions"))

    return Fault(
        title=f"permissions of {LOAD_USER} in {vhost} taken",
        inject=lambda: api.ask("DELETE", f"permissions/{vhost}/{LOAD_USER}", timeout=15),
        heal=lambda: api.put_permissions(vhost, LOAD_USER),
        in_effect=lambda: not is_allowed(),
        is_gone=is_allowed,
        targets=(vhost,),
    )


def _deleted(api: BrokerApi, vhost: str) -> Fault:
    """The vhost and all that is in it; made anew, with an empty queue, afterwards."""

    def is_there() -> bool:
        return vhost in {str(v["name"]) for v in api.get("vhosts")}

    return Fault(
        title=f"vhost {vhost} deleted",
        inject=lambda: api.delete_vhost(vhost),
        heal=lambda: _furnish(api, vhost),
        in_effect=lambda: not is_there(),
        is_gone=is_there,
        targets=(vhost,),
    )


def _declare(workload: Workload) -> str:
    """What the broker says to a passive declare of the queue."""
    try:
        workload.wire.ask("declare", queues=[{"name": QUEUE, "passive": True}], within=20)
    except HarnessError as error:
        return str(error)
    return "accepted"


def _consume_what_is_parked(workload: Workload) -> int:
    workload.wire.ask("consume", role=CONSUMER, queue=QUEUE)
    arrived = await_match(
        lambda: workload.progress()[PARKED][1],
        lambda n: n >= NEXT_DOOR,
        what=f"the {NEXT_DOOR} messages next door at their own consumer",
        within=seconds(15),
    )
    workload.wire.ask("stop", role=CONSUMER, within=30)
    return arrived


def _await_attempts(workload: Workload, stream: str) -> None:
    await_match(
        lambda: _attempted(workload, stream), lambda n: n > 0, what=f"the first publish of {stream}", within=seconds(10)
    )


def _attempted(workload: Workload, stream: str) -> int:
    return int(workload.wire.ask("progress", within=10)["streams"].get(stream, {}).get("attempted", 0))


def _await_cut_off(stage: Stage, stream: str) -> bool:
    deleted_at = max(e.at for e in stage.events if e.kind == "fault.injected")
    return await_match(
        lambda: any(
            e.kind == "client" and e.subject == stream and e.text == "disconnected" and e.at > deleted_at
            for e in stage.events
        ),
        bool,
        what=f"{stream} cut off with its vhost",
        within=seconds(15),
    )


def _disturbed(stage: Stage) -> tuple[str, ...]:
    """Clients of this vhost that lost their connection since the first fault next door."""
    struck = min(e.at for e in stage.events if e.kind == "fault.injected")
    lost = {e.subject for e in stage.events if e.kind == "client" and e.text == "disconnected" and e.at > struck}
    return tuple(sorted(lost - {PARKED, DOOMED, CONSUMER}))


def _without_the_waits_of(history: History, role: str) -> History:
    gaps = tuple(gap for gap in history.gaps if gap.role != role)
    connects = tuple(connect for connect in history.connects if connect.role != role)
    return dataclasses.replace(history, gaps=gaps, connects=connects)
