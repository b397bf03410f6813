"""How every role connects: one place for parameters, time-outs and the record of each try."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pika

from .meter import Meter

CONNECT, HANDSHAKE = 3.0, 5.0
BACK_OFF = (0.2, 0.3, 0.5, 0.8, 1.0)


@dataclass(frozen=True)
class Target:
    """Where a role connects to."""

    host: str
    port: int
    user: str
    password: str
    vhost: str
    heartbeat: int

    def at(self, host: str | None) -> Target:
        return replace(self, host=host) if host else self

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"

    def parameters(self, role: str, handshake: float = HANDSHAKE) -> pika.ConnectionParameters:
        return pika.ConnectionParameters(
            host=self.host,
            port=self.port,
            virtual_host=self.vhost,
            heartbeat=self.heartbeat,
            credentials=pika.PlainCredentials(self.user, self.password),
            connection_attempts=1,
            socket_timeout=CONNECT,
            stack_timeout=handshake,
            blocked_connection_timeout=None,
            client_properties={"connection_name": role},
            tcp_options={"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3},
        )


def open_blocking(target: Target, role: str, meter: Meter, handshake: float = HANDSHAKE) -> pika.BlockingConnection:
    """One try, recorded; what failed is raised after it was written down."""
    began = time.monotonic()
    try:
        connection = pika.BlockingConnection(target.parameters(role, handshake))
    except Exception as error:
        meter.connected(role, began, False, told(error), target.peer)
        raise
    meter.connected(role, began, True, "", target.peer)
    return connection


def told(error: BaseException) -> str:
    """Its class and text; pika's AMQPConnectionError has none of its own: what it was raised for is in its arguments."""
    text = str(error) or ", ".join(map(repr, error.args))
    return f"{type(error).__name__} {text}".strip()[:120]


def back_off(tries: int) -> float:
    return BACK_OFF[min(tries, len(BACK_OFF) - 1)]
