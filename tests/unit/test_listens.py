"""Which ports a haproxy.cfg opens: whoever knocks at every door has to know of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.config.listens import listens


def told(text: str, name: str = "haproxy.cfg") -> tuple[set[int], tuple[str, ...]]:
    found = listens([ConfigFile(name, Path("/mine/lb1") / name, "/etc/haproxy/haproxy.cfg", text.encode(), 0o644)])
    return set(found.ports), found.unread


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        ("    bind *:5672", {5672}),
        ("    bind :5672,:8404", {5672, 8404}),
        ("    bind 198.18.40.46:15672 ssl crt /etc/haproxy/a.pem", {15672}),
        ("    bind [::]:8404 v4v6", {8404}),
        ("    bind 0.0.0.0:9000-9002", {9000, 9001, 9002}),
        ("listen old 0.0.0.0:8404", {8404}),
        ("listen stats", set()),
        ('    bind "${VIP}:15672"', {15672}),
        ('    bind "*:15672" ssl', {15672}),
        ('    bind "fd@${FD}"', set()),
        ("    # bind :8404", set()),
        ("    bind :5672 # not :8404", {5672}),
        ("    bind /run/haproxy.sock", set()),
        ("    server rmq1 198.18.40.40:5672 check", set()),
    ],
)
def test_every_port_of_a_bind_line_is_found(line: str, ports: set[int]) -> None:
    assert told(f"frontend f\n{line}\n") == (ports, ())
    assert told(line, "keepalived.conf") == (set(), ())


def test_a_line_whose_port_is_a_variable_is_named() -> None:
    assert told('frontend f\n    bind ":${PORT}"\n') == (set(), ('lb1/haproxy.cfg:2: bind ":${PORT}"',))
