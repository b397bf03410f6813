"""Which lines of a haproxy.cfg are AMQP's."""

from __future__ import annotations

import pytest

from pytest_rmqha.config.sections import of_amqp

GLOBAL = "global\n  maxconn 9"
DEFAULTS = "defaults\n  mode tcp"
LISTEN = "listen amqp\n  bind :5672"
OLD_LISTEN = "listen amqp 0.0.0.0:5671"
FRONTEND = "frontend in\n  bind :5672\n  default_backend brokers"
BACKEND = "backend brokers\n  server rmq1 192.0.2.1 check"
SERVERS = "backend other\nserver rmq1 192.0.2.1:5672 check"
PAGE = "backend page\n  server rmq1 192.0.2.1:15672 check"


def lines(*sections: str) -> list[tuple[int, str]]:
    return list(enumerate("\n".join(sections).split("\n"), 1))


@pytest.mark.parametrize(
    ("sections", "kept"),
    [
        ((GLOBAL, LISTEN, PAGE), (LISTEN,)),
        ((OLD_LISTEN, PAGE), (OLD_LISTEN,)),
        ((DEFAULTS, FRONTEND, BACKEND, PAGE), (DEFAULTS, FRONTEND, BACKEND)),
        ((PAGE, SERVERS), (SERVERS,)),
        ((BACKEND, SERVERS), (SERVERS,)),
        (("  mode http", "server rmq1 192.0.2.1:5672"), ("  mode http", "server rmq1 192.0.2.1:5672")),
        ((DEFAULTS, PAGE), (DEFAULTS, PAGE)),
        ((), ()),
    ],
)
def test_sections_with_the_port_are_kept_with_what_they_use(sections: tuple[str, ...], kept: tuple[str, ...]) -> None:
    assert [text for _, text in of_amqp(lines(*sections))] == "\n".join(kept).split("\n")


def test_a_line_keeps_its_number() -> None:
    assert of_amqp(lines(PAGE, LISTEN)) == [(3, "listen amqp"), (4, "  bind :5672")]
