"""Mirroring policies set, changed and removed under load, on a queue that was there before and on one that came after.

No fault is injected: a policy that removes replicas, the leader's own among them, is risk enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_rmqha.errors import InvariantNotUpheld, ToolFailed
from pytest_rmqha.lease import Stage
from pytest_rmqha.replicas import Replicas
from pytest_rmqha.waiting import await_match, seconds
from pytest_rmqha.workload.history import History

POLICY, OLD, NEW, BORN = "replicas", "mirrored.later", "mirrored.from-birth", "mirrored.born-under"
PATTERN = r"^mirrored\."


@dataclass(frozen=True)
class Step:
    """What the policy says from now on (None: it is removed), and the replicas that have to follow from it."""

    title: str
    definition: Mapping[str, object] | None
    wanted: Callable[[Replicas], bool]


@dataclass(frozen=True)
class Seen:
    """``replicas``: step -> queue -> replicas once they followed; ``progressed``: steps after which the load moved on.

    ``born``: step -> replicas of the queue that was declared in it, under the load and after the policy.
    """

    history: History
    home: str
    third: str
    second: str
    before: Replicas
    at_birth: Replicas
    replicas: Mapping[str, Mapping[str, Replicas]]
    born: Mapping[str, Replicas]
    progressed: tuple[str, ...]


def mirroring_policies_are_set_changed_and_removed(stage: Stage) -> Seen:
    home, second, third = stage.cluster.nodes
    cluster = stage.cluster
    cluster.declare(OLD, home=home)
    before = cluster.replicas(OLD)
    cluster.policy(POLICY, f"^{NEW}$", ha_mode="exactly", ha_params=2, ha_sync_mode="automatic")
    cluster.declare(NEW, home=home)
    at_birth = _await_followed(stage, "policy of exactly 2 before the queue", NEW, lambda r: len(r.members) == 2)

    steps = (
        Step("all", {"ha_mode": "all"}, lambda r: len(r.members) == 3),
        Step("exactly 2", {"ha_mode": "exactly", "ha_params": 2}, lambda r: len(r.members) == 2),
        _nodes("nodes with the leader", home.name, third.name),
        _nodes("nodes without the leader", second.name, third.name),
        Step("removed", None, lambda r: r.members == {r.leader}),
    )
    workload = stage.workload(OLD, NEW)
    followed: dict[str, dict[str, Replicas]] = {}
    born: dict[str, Replicas] = {}
    progressed: list[str] = []
    with workload.running():
        for number, step in enumerate(steps):
            _put(stage, step)
            followed[step.title] = {q: _await_followed(stage, step.title, q, step.wanted) for q in workload.queues}
            fresh = cluster.declare(f"{BORN}-{number}")
            born[step.title] = _await_followed(stage, step.title, fresh, step.wanted)
            # It goes before the next step: a policy that moves the leaders of five queues at once leaves one standing still.
            cluster.any_answering().api.ask("DELETE", f"queues/{cluster.vhost}/{fresh}", timeout=15)
            workload.await_progress(within=seconds(15))
            progressed.append(step.title)
    names = (home.name, third.name, second.name)
    return Seen(workload.history, *names, before, at_birth, followed, born, tuple(progressed))


def _nodes(title: str, *names: str) -> Step:
    return Step(title, {"ha_mode": "nodes", "ha_params": list(names)}, lambda r: r.members == set(names))


def _put(stage: Stage, step: Step) -> None:
    cluster = stage.cluster
    if step.definition is None:
        cluster.any_answering().api.ask("DELETE", f"policies/{cluster.vhost}/{POLICY}", timeout=15)
    else:
        cluster.policy(POLICY, PATTERN, ha_sync_mode="automatic", **step.definition)
    stage.timeline.add("note", f"policy: {step.title}")


def _await_followed(stage: Stage, title: str, queue: str, wanted: Callable[[Replicas], bool]) -> Replicas:
    return await_match(
        lambda: stage.cluster.replicas(queue),
        lambda r: wanted(r) and r.leader in r.members and r.in_sync >= r.members,
        what=f"replicas of {queue} as the policy says ({title}), in sync",
        within=seconds(20),
        ignore=(ToolFailed, KeyError),
        error=InvariantNotUpheld,
    )
