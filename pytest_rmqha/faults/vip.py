"""Faults of a balancer: its host, haproxy alone, keepalived alone, and the VRRP conversation."""

from __future__ import annotations

from pytest_rmqha.balancers import Balancer
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.faults.network import packets_dropped
from pytest_rmqha.vip import Vip
from pytest_rmqha.waiting import seconds


def _serves(balancer: Balancer) -> bool:
    """Both programs run and haproxy has looked at every server and has it UP."""
    try:
        states, unchecked = balancer.backends(), balancer.unchecked()
    except HarnessError:
        return False
    return bool(states) and set(states.values()) == {"UP"} and not unchecked and balancer.runs("keepalived")


def _whole(balancer: Balancer, vip: Vip) -> bool:
    try:
        return _serves(balancer) and len(vip.holders()) == 1
    except HarnessError:
        return False


def _mute(balancer: Balancer) -> bool:
    try:
        balancer.backends()
    except HarnessError:
        return True
    return False


def _alone_is_down(balancer: Balancer, program: str) -> bool:
    """The program does not run and its host does. The host is asked last: with it dead or frozen nothing runs either."""
    return not balancer.runs(program) and balancer.state() == "running"


def killed(balancer: Balancer, vip: Vip) -> Fault:
    """The whole balancer host dies silently; heal boots it again."""

    def heal() -> None:
        if balancer.state() != "running":
            balancer.start()

    return Fault(
        title=f"{balancer} killed (whole host)",
        inject=balancer.kill,
        heal=heal,
        in_effect=lambda: balancer.state() == "exited" and _mute(balancer),
        is_gone=lambda: _whole(balancer, vip),
        within=seconds(10),
        gone_within=seconds(30),
        targets=(balancer.service,),
        undone=lambda: balancer.state() == "running",
    )


def haproxy_killed(balancer: Balancer, vip: Vip) -> Fault:
    """haproxy dies, the host and keepalived live: only a tracked check notices."""

    def heal() -> None:
        if not balancer.runs("haproxy"):
            balancer.boot("haproxy")

    return Fault(
        title=f"haproxy killed on {balancer}",
        inject=lambda: balancer.signal("haproxy", "KILL"),
        heal=heal,
        in_effect=lambda: _mute(balancer) and _alone_is_down(balancer, "haproxy"),
        is_gone=lambda: _whole(balancer, vip),
        within=seconds(10),
        gone_within=seconds(30),
        targets=(balancer.service,),
        undone=lambda: balancer.state() == "running",
    )


def haproxy_frozen(balancer: Balancer, vip: Vip) -> Fault:
    """haproxy stopped (SIGSTOP): the process is there, the port accepts, nothing answers."""
    return Fault(
        title=f"haproxy frozen on {balancer}",
        inject=lambda: balancer.signal("haproxy", "STOP"),
        heal=lambda: balancer.signal("haproxy", "CONT"),
        in_effect=lambda: _mute(balancer) and balancer.has_stopped("haproxy"),
        is_gone=lambda: _whole(balancer, vip),
        within=seconds(10),
        gone_within=seconds(30),
        targets=(balancer.service,),
        undone=lambda: balancer.state() == "running",
    )


def _keepalived(balancer: Balancer, vip: Vip, signal: str, title: str) -> Fault:
    def heal() -> None:
        if not balancer.runs("keepalived"):
            balancer.boot("keepalived")

    return Fault(
        title=title,
        inject=lambda: balancer.signal("keepalived", signal),
        heal=heal,
        in_effect=lambda: _alone_is_down(balancer, "keepalived"),
        is_gone=lambda: _whole(balancer, vip),
        within=seconds(10),
        gone_within=seconds(30),
        targets=(balancer.service,),
        undone=lambda: balancer.state() == "running",
    )


def keepalived_stopped(balancer: Balancer, vip: Vip) -> Fault:
    """A clean stop: the last advertisement has priority 0, the other takes over at once."""
    return _keepalived(balancer, vip, "TERM", f"keepalived stopped on {balancer}")


def keepalived_killed(balancer: Balancer, vip: Vip) -> Fault:
    """SIGKILL: the address stays on the interface and also moves; two holders until it is started again."""
    return _keepalived(balancer, vip, "KILL", f"keepalived killed on {balancer}")


def vrrp_dropped(balancer: Balancer, vip: Vip) -> Fault:
    """VRRP (protocol 112) dropped both ways at one balancer: each believes that it is alone."""
    rules = (("input", "meta l4proto 112"), ("output", "meta l4proto 112"))
    return packets_dropped(
        balancer.service,
        balancer.filter,
        rules,
        title=f"VRRP dropped both ways at {balancer}",
        gone=lambda: _whole(balancer, vip),
        alive=lambda: balancer.runs("keepalived"),
    )


def vrrp_deaf(balancer: Balancer, vip: Vip) -> Fault:
    """VRRP dropped one way: the balancer no longer hears the other."""
    return packets_dropped(
        balancer.service,
        balancer.filter,
        (("input", "meta l4proto 112"),),
        title=f"{balancer} deaf to VRRP",
        gone=lambda: _whole(balancer, vip),
        alive=lambda: balancer.runs("keepalived"),
    )
