"""Faults of a way that leads through a link proxy for a while: clients–VIP and balancer–broker.

``detoured`` puts the way in; the others hurt it while it is in. Seen by speaking AMQP to the proxy as the member does.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from pytest_rmqha.clock import now
from pytest_rmqha.detours import Detour
from pytest_rmqha.errors import HarnessError
from pytest_rmqha.faults.fault import Fault
from pytest_rmqha.waiting import seconds

AMQP_HEADER = b"AMQP\x00\x00\x09\x01"


def greeting_after(place: str, timeout: float = 5.0) -> float | None:
    """Seconds until whoever listens at ``address:port`` has answered the AMQP header; None without an answer in time."""
    address, port = place.split(":")
    begun = now()
    try:
        with socket.create_connection((address, int(port)), timeout=timeout) as wire:
            wire.settimeout(timeout)
            wire.sendall(AMQP_HEADER)
            return now() - begun if wire.recv(1) == b"\x01" else None
    except OSError:
        return None


def _is_refused(place: str) -> bool:
    address, port = place.split(":")
    try:
        socket.create_connection((address, int(port)), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def detoured(detour: Detour) -> Fault:
    """The way leads through the proxy: one interruption when it is put in, one when it is lifted. No harm in itself."""

    def is_gone() -> bool:
        try:
            return detour.is_lifted() and greeting_after(detour.target) is not None
        except HarnessError:
            return False

    return Fault(
        title=f"{detour} by way of a link proxy",
        inject=detour.put,
        heal=detour.lift,
        in_effect=lambda: detour.is_in_use() and greeting_after(detour.via) is not None,
        is_gone=is_gone,
        within=seconds(20),
        gone_within=seconds(20),
        targets=(detour.source,),
    )


def cut(detour: Detour, *, silently: bool = False) -> Fault:
    """Cleanly: connections closed and refused. Silently: they stay, and nothing passes."""
    if silently:
        return _hurt(
            f"{detour} silently cut", detour, detour.swallow, lambda: greeting_after(detour.via, timeout=1) is None
        )
    return _hurt(f"{detour} cleanly cut", detour, detour.close, lambda: _is_refused(detour.via))


def slowed(detour: Detour, *, milliseconds: int) -> Fault:
    """Latency on each direction; seen when the broker's greeting takes at least one round trip of it."""
    return _hurt(
        f"{milliseconds} ms on {detour}",
        detour,
        lambda: detour.delay(milliseconds),
        lambda: (greeting_after(detour.via, timeout=10) or 0.0) >= 1.8 * milliseconds / 1000,
    )


def narrowed(detour: Detour, *, kilobytes_per_second: int) -> Fault:
    """A rate limit on each direction; seen on the proxy (a rate shows only under load)."""
    return _hurt(
        f"{kilobytes_per_second} kB/s on {detour}",
        detour,
        lambda: detour.narrow(kilobytes_per_second),
        lambda: len(detour.server.toxics(detour.proxies[0])) == 2,
    )


def _hurt(title: str, detour: Detour, inject: Callable[[], object], in_effect: Callable[[], bool]) -> Fault:
    return Fault(
        title=title,
        inject=inject,
        heal=detour.restore,
        in_effect=in_effect,
        is_gone=lambda: detour.is_clear() and greeting_after(detour.via) is not None,
        within=seconds(15),
        gone_within=seconds(20),
        targets=(detour.source,),
    )
