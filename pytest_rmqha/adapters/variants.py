"""Another configuration for a stack that runs: only the members whose files differ are restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_rmqha.adapters import bring_up
from pytest_rmqha.cluster import Node
from pytest_rmqha.errors import StackNotUp
from pytest_rmqha.waiting import seconds

if TYPE_CHECKING:
    from pytest_rmqha.adapters.stack import Stack

BACK_IN = seconds(120)


def enter(stack: Stack, name: str | None) -> tuple[str, ...]:
    """The reference with a variant's files on top, or the plain reference (None); returns who was restarted.

    Brokers that differ are stopped together and started together, as for a planned change of all of them; StackNotUp when
    the stack is not steady 120 s later.
    """
    before = {member: {f.target: (f.sha256, f.mode) for f in files} for member, files in stack.config_files.items()}
    stack.variant = name
    after = stack.files_of_members()
    changed = [m for m, files in after.items() if {f.target: (f.sha256, f.mode) for f in files} != before[m]]
    stack.config_files = after
    if not changed:
        return ()
    stack.worn = True  # until it is steady with the new files
    stack.timeline.add("note", name or "reference", f"configuration of {', '.join(changed)} changed")
    brokers = [node for node in stack.nodes if node.service in changed]
    balancers = [b.service for b in stack.balancers if b.service in changed]
    with stack.timeline.waiting(f"restart of {', '.join(changed)} with {name or 'the reference'}"):
        for member in changed:
            gone = before[member].keys() - {f.target for f in after[member]}
            if gone:
                stack.engine.must(member, "rm", "-f", *sorted(gone))
        stack.cluster.at_once(Node.stop, brokers)
        for service in balancers:
            stack.engine.stop(service, grace=5)
        bring_up.copy_files(stack, only=changed)
        for member in changed:
            if other := bring_up.other_files(stack, member):
                raise StackNotUp(f"{member} does not have the files of {name or 'the reference'}: {', '.join(other)}")
        for service in balancers:
            stack.engine.start(service)
        stack.cluster.at_once(Node.start, brokers)
        stack.steady.wait(within=BACK_IN, error=StackNotUp, what=f"steady state with {name or 'the reference'}")
    stack.worn = False
    return tuple(changed)
