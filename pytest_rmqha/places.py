"""Where the files that each role reads stand in its container: name -> path."""

from __future__ import annotations

from collections.abc import Mapping

BROKER_TARGETS: Mapping[str, str] = {
    "rabbitmq.conf": "/etc/rabbitmq/rabbitmq.conf",
    "advanced.config": "/etc/rabbitmq/advanced.config",
    "enabled_plugins": "/etc/rabbitmq/enabled_plugins",
    "definitions.json": "/etc/rabbitmq/definitions.json",
    "rabbitmq-env.conf": "/etc/rabbitmq/rabbitmq-env.conf",
}
BALANCER_TARGETS: Mapping[str, str] = {
    "haproxy.cfg": "/etc/haproxy/haproxy.cfg",
    "keepalived.conf": "/etc/keepalived/keepalived.conf",
}
TARGETS: Mapping[str, Mapping[str, str]] = {"broker": BROKER_TARGETS, "balancer": BALANCER_TARGETS}
