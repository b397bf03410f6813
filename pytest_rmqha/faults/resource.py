"""Faults of resources: one broker that is out of memory by its own rules, and blocks who publishes anywhere."""

from __future__ import annotations

from pytest_rmqha.cluster import Cluster, Node
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.waiting import seconds

FAR_TOO_LITTLE = "10000000"


def memory_alarm(cluster: Cluster, node: Node) -> Fault:
    """The broker's memory watermark is set to 10 MB, below what it uses: its alarm blocks publishers on every node.

    Seen when every node's view has the alarm (statistics lag by the collection interval). Healed with the limit that was
    there before, in bytes; gone when no view has the alarm any more. An alarm that stays although the broker has its old
    limit again is the stack's: the fault is undone then, and did not clear.
    """
    before: list[int] = []

    def limit() -> int:
        return int(node.view()[node.name]["mem_limit"])

    def set_limit(value: str) -> None:
        node.containers.must(node.service, "rabbitmqctl", "set_vm_memory_high_watermark", "absolute", value)

    def inject() -> None:
        before.append(limit())
        set_limit(FAR_TOO_LITTLE)

    def heal() -> None:
        if before:
            set_limit(str(before[0]))

    def alarmed() -> list[bool]:
        return [bool(n.view()[node.name].get("mem_alarm")) for n in cluster.nodes]

    def is_undone() -> bool:
        try:
            return not before or limit() == before[0]
        except (HarnessError, KeyError):  # a broker that does not run has no limit in the view
            return False

    def is_gone() -> bool:
        try:
            return is_undone() and not any(alarmed())
        except HarnessError:
            return False

    return Fault(
        title=f"memory alarm on {node}",
        inject=inject,
        heal=heal,
        in_effect=lambda: all(alarmed()),
        is_gone=is_gone,
        within=seconds(20),
        gone_within=seconds(30),
        targets=(node.service,),
        undone=is_undone,
    )
