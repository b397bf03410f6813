"""Changes that keep every promise. A gate that reddens on one of these is switched off within a week."""

from __future__ import annotations

from pytest_rmqha.catalogue import order
from tests.gate.edits import Replaced
from tests.gate.mutant import Harmless
from tests.gate.mutants import MUTANTS
from tests.gate.mutants_brokers import CONF, DEFINITIONS, HEARTBEAT, USER, VHOST
from tests.gate.mutants_haproxy import AMQP_SERVERS, CFG
from tests.gate.mutants_keepalived import ONE, TWO

STATIC = ("G3", "G6", "G9", "G10")
BROKERS = (*STATIC, "G4", "G5")
BALANCERS = (*STATIC, "G7", "G8", "V4")
FIRST, SECOND, THIRD = AMQP_SERVERS.splitlines(keepends=True)

CONTROL = Harmless(
    "control",
    "nothing changed: whatever a mutant is asked",
    (),
    tuple(sorted({name for mutant in MUTANTS for name in mutant.scenarios}, key=order)),
    untouched=True,
)
"""A scenario that is red on the reference itself catches every mutant that it is asked of, and proves nothing."""

HARMLESS: tuple[Harmless, ...] = (
    CONTROL,
    Harmless(
        "rename-backend",
        "a backend renamed consistently",
        (Replaced(CFG, "amqp_brokers", "rabbits", times=2),),
        (*BALANCERS, "V11", "V12"),
    ),
    Harmless(
        "reorder-servers",
        "server lines in another order",
        (Replaced(CFG, AMQP_SERVERS, THIRD + FIRST + SECOND),),
        (*STATIC, "G4", "G5", "V12"),
    ),
    Harmless(
        "extra-vhost",
        "an extra, unused vhost",
        (Replaced(DEFINITIONS, VHOST, VHOST.rstrip("\n") + ',\n    {\n      "name": "unused"\n    }\n'),),
        BROKERS,
    ),
    Harmless(
        "extra-user",
        "an extra user",
        (Replaced(DEFINITIONS, USER, USER.rstrip("\n") + ",\n" + USER.replace("orders-app", "orders-report")),),
        BROKERS,
    ),
    Harmless(
        "log-level",
        "the broker's log level",
        (Replaced(CONF, "log.console.level = info", "log.console.level = warning"),),
        BROKERS,
    ),
    Harmless(
        "comments",
        "comments and white space",
        (
            Replaced(CONF, HEARTBEAT, f"\n# Twenty seconds.\n{HEARTBEAT}\n"),
            Replaced(CFG, "    retries 3\n", "    # three tries\n    retries   3\n"),
            Replaced(ONE, "    priority 150\n", "    # the first choice\n    priority   150\n"),
        ),
        (*BROKERS, "G7"),
    ),
    Harmless(
        "inter-faster",
        "`inter 1s` → `inter 500ms`",
        (Replaced(CFG, "inter 1s", "inter 500ms", times=2),),
        (*STATIC, "G5", "V11", "V12"),
    ),
    Harmless(
        "inter-2s",
        "`inter 1s` → `inter 2s` (the catalogue's own good value)",
        (Replaced(CFG, "inter 1s", "inter 2s", times=2),),
        (*STATIC, "G5", "V11", "V12"),
    ),
    Harmless(
        "leastconn",
        "round robin → `leastconn`",
        (Replaced(CFG, "    balance roundrobin\n", "    balance leastconn\n", times=2),),
        BROKERS,
    ),
    Harmless(
        "other-vrid",
        "another VRID on both",
        tuple(Replaced(file, "virtual_router_id 111", "virtual_router_id 112") for file in (ONE, TWO)),
        BALANCERS,
    ),
    Harmless(
        "heartbeat-15",
        "heartbeat 20 → 15",
        (Replaced(CONF, HEARTBEAT, "heartbeat = 15\n"),),
        (*STATIC, "G1", "G2"),
    ),
    Harmless(
        "priorities",
        "priorities 150/100 → 200/120 with an unweighted script",
        (Replaced(ONE, "priority 150", "priority 200"), Replaced(TWO, "priority 100", "priority 120")),
        BALANCERS,
    ),
    Harmless(
        "statistics-port",
        "the statistics page on another port",
        (Replaced(CFG, "    bind 0.0.0.0:8888\n", "    bind 0.0.0.0:8404\n"),),
        (*BALANCERS, "V12"),
    ),
)
