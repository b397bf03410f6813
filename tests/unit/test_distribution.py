"""A distribution port of somebody's own: the links between brokers would lead nowhere, so it is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_rmqha.config.distribution import refuse_another_port
from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.errors import UserInputError


def file(name: str, text: str) -> ConfigFile:
    return ConfigFile(name, Path("/mine") / name, f"/etc/rabbitmq/{name}", text.encode(), 0o644)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("rabbitmq.conf", "distribution.listener.port_range.min = 9100"),
        ("advanced.config", "[{kernel, [{inet_dist_listen_min, 9100}, {inet_dist_listen_max, 25672}]}]."),
        ("rabbitmq-env.conf", "DIST_PORT=9100"),
        ("rabbitmq-env.conf", 'RABBITMQ_DIST_PORT="9100"'),
        ("rabbitmq-env.conf", 'SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_listen_min 9100"'),
    ],
)
def test_another_port_is_refused_with_its_line(name: str, line: str) -> None:
    with pytest.raises(UserInputError, match=rf"distribution port in /mine/{name}:2: got 9100; expected 25672"):
        refuse_another_port([file(name, f"# first\n{line}\n")], 25672)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("rabbitmq.conf", "distribution.listener.port_range.min = 25672"),
        ("rabbitmq.conf", "# distribution.listener.port_range.min = 9100"),
        ("rabbitmq.conf", "listeners.tcp.default = 5672"),
        ("advanced.config", "%% inet_dist_listen_min, 9100"),
        ("advanced.config", "[{kernel, [{net_ticktime, 8}]}]."),
        ("haproxy.cfg", "DIST_PORT=9100"),
    ],
)
def test_rabbitmqs_own_port_and_everything_else_is_taken(name: str, line: str) -> None:
    refuse_another_port([file(name, line)], 25672)
