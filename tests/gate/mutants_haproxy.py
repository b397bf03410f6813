"""H: faults of haproxy.cfg."""

from __future__ import annotations

from tests.gate.edits import Replaced
from tests.gate.mutant import BRING_UP, Mutant

CFG = "haproxy.cfg"
DEFAULT_SERVER = "    default-server inter 1s fall 2 rise 2 on-marked-down shutdown-sessions\n"
AMQP_CHECK = """\
    option tcp-check
    tcp-check connect port 5672
    tcp-check send-binary 414d515000000901
    tcp-check expect binary 01
"""
AMQP_SERVERS = """\
    server rmq1 198.18.40.40:5672 check
    server rmq2 198.18.40.41:5672 check
    server rmq3 198.18.40.42:5672 check
"""
CHECK_COMMENT = "    # An L4 check shows a frozen broker as UP. This one says the AMQP header and wants the broker's first frame byte.\n"

ALL: tuple[Mutant, ...] = (
    Mutant(
        "H01",
        "no `check` on the AMQP servers",
        "S",
        (Replaced(CFG, AMQP_SERVERS, AMQP_SERVERS.replace(" check", "")),),
        (*BRING_UP, "V12"),
        r"amqp_brokers/rmq1.*not UP|amqp_brokers.*not checked|rmq3 DOWN on every balancer",
    ),
    Mutant(
        "H02",
        "L4 check only",
        "FREEZE",
        (Replaced(CFG, AMQP_CHECK, ""),),
        ("V12",),
        r"rmq3 DOWN on every balancer",
    ),
    Mutant(
        "H03",
        "`inter 60s fall 5`",
        "FREEZE",
        (Replaced(CFG, DEFAULT_SERVER, DEFAULT_SERVER.replace("inter 1s fall 2", "inter 60s fall 5"), times=2),),
        ("V12",),
        r"rmq3 DOWN on every balancer",
    ),
    Mutant(
        "H04",
        "no `on-marked-down shutdown-sessions`",
        "FREEZE",
        (Replaced(CFG, " on-marked-down shutdown-sessions", "", times=2),),
        ("V12",),
        r"clients of the frozen rmq3|(?:publishing|delivery)_stalls",
    ),
    Mutant(
        "H05",
        "`timeout client/server` shorter than the heartbeat interval (10 s of the broker's 20 s)",
        "IDLE",
        (
            Replaced(CFG, "timeout client 3m", "timeout client 9s"),
            Replaced(CFG, "timeout server 3m", "timeout server 9s"),
        ),
        ("G1",),
        r"idle_client_survives.*budget \d+ s",
    ),
    Mutant(
        "H07",
        "`timeout client` far below `timeout server` (9 s and 3 h; 30 s bites heartbeats above 30 s only)",
        "IDLE",
        (
            Replaced(CFG, "timeout client 3m", "timeout client 9s"),
            Replaced(CFG, "timeout server 3m", "timeout server 3h"),
        ),
        ("G1",),
        r"idle_client_survives.*budget \d+ s",
    ),
    Mutant(
        "H11",
        "check on 15672 instead of 5672",
        "FREEZE",
        (Replaced(CFG, AMQP_CHECK, "    option tcp-check\n    tcp-check connect port 15672\n"),),
        ("V12",),
        r"rmq3 DOWN on every balancer",
    ),
    Mutant(
        "H12",
        "`mode http` for AMQP",
        "S",
        (
            Replaced(CFG, "    mode tcp\n", "    mode http\n"),
            Replaced(CFG, "    option tcplog\n", "    option httplog\n"),
        ),
        ("G6",),
        r"connections_through_the_vip.*0 of",
    ),
    Mutant(
        "H14",
        "`balance source`",
        "S",
        (Replaced(CFG, "    balance roundrobin\n", "    balance source\n", times=2),),
        ("G6",),
        r"connections_are_spread.*100 %",
    ),
    Mutant(
        "H17",
        "`retries 0`, no redispatch",
        "KILL",
        (Replaced(CFG, "    option redispatch\n", ""), Replaced(CFG, "    retries 3\n", "    retries 0\n")),
        ("G5", "N1"),
        r"connect",
        missed="a client that tries again 0.5 s later is served: with the reference's check a dead broker is out after 2 s, "
        "and the budget for a new connection is 15 s",
    ),
    Mutant(
        "H20",
        "bind to the first balancer's own address on both",
        "S, LBKILL",
        (Replaced(CFG, "    bind 0.0.0.0:5672\n", "    bind 198.18.40.43:5672\n"),),
        ("G6",),
        r"connections_through_the_vip.*0 of",
    ),
    Mutant(
        "H23",
        "`listen amqp 0.0.0.0:5672` in the old form",
        "S",
        (
            Replaced(
                CFG,
                "frontend amqp\n    bind 0.0.0.0:5672\n",
                "listen amqp 0.0.0.0:5672\n",
            ),
        ),
        BRING_UP,
        r"haproxy\.cfg:2\d|haproxy does not run|statistics page",
    ),
)
