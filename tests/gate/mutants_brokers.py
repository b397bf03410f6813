"""R, O and P: faults of rabbitmq.conf, of the broker's start, and of policies, queues and definitions."""

from __future__ import annotations

from tests.gate.edits import Added, OwnCopy, Replaced
from tests.gate.mutant import BRING_UP, Mutant

CONF, DEFINITIONS, TOPOLOGY, ENV = "rabbitmq.conf", "definitions.json", "topology.json", "rabbitmq-env.conf"
STRATEGY = "cluster_partition_handling = pause_minority\n"
HEARTBEAT = "heartbeat = 20\n"
LISTENER = "listeners.tcp.default = 5672\n"
SYNC = '        "ha-sync-mode": "automatic",\n'
ON_FAILURE = '"ha-promote-on-failure": "when-synced"'
ON_SHUTDOWN = '"ha-promote-on-shutdown": "when-synced"'
ALL_NODES = '        "ha-mode": "all",\n'
HA_QUEUE = '      "name": "ha.orders",\n      "durable": true,\n'
QUORUM = '        "x-queue-type": "quorum"\n'
VHOST = '    {\n      "name": "orders"\n    }\n'
POLICY_PLACE = '      "vhost": "orders",\n      "name": "ha",\n'
USER = """\
    {
      "name": "orders-app",
      "password_hash": "",
      "hashing_algorithm": "rabbit_password_hashing_sha256",
      "tags": ""
    }
"""
GUEST = """\
    {
      "name": "guest",
      "password_hash": "kI3GDrLPTd0SPrqCSPBVc7H0/VlwFz54baItYvMrXncAEsOq",
      "hashing_algorithm": "rabbit_password_hashing_sha256",
      "tags": "administrator"
    }
"""
PERMISSION = """\
    {
      "user": "orders-app",
      "vhost": "orders",
      "configure": ".*",
      "write": ".*",
      "read": ".*"
    }
"""
FORCES_ITS_BOOT = """\
# What 'rabbitmqctl force_boot' leaves for the next start, left at every start.
touch "/var/lib/rabbitmq/mnesia/rabbit@$(hostname)/force_load" 2>/dev/null || true
"""
REPLICAS = r"each_queue_has_its_replicas.*{}"
HA_ORDERS = REPLICAS.format(r"ha\.orders")

ALL: tuple[Mutant, ...] = (
    Mutant(
        "R01",
        "`cluster_partition_handling = ignore`",
        "PART + heal",
        (Replaced(CONF, STRATEGY, STRATEGY.replace("pause_minority", "ignore")),),
        ("P2", "P3"),
        r"partitioned|does not come back|what_a_minority_confirms|nothing_confirmed_is_lost|paused|(?:publishing|delivery)_stalls|not served",
    ),
    Mutant(
        "R02",
        "`cluster_partition_handling = autoheal`",
        "PART + heal",
        (Replaced(CONF, STRATEGY, STRATEGY.replace("pause_minority", "autoheal")),),
        ("P2", "P3"),
        r"what_a_minority_confirms|nothing_confirmed_is_lost|paused|(?:publishing|delivery)_stalls|not served",
    ),
    Mutant(
        "R04",
        "`pause_if_all_down` with a misspelt node",
        "KILL, PART",
        (
            Replaced(
                CONF,
                STRATEGY,
                "cluster_partition_handling = pause_if_all_down\n"
                "cluster_partition_handling.pause_if_all_down.recover = ignore\n"
                "cluster_partition_handling.pause_if_all_down.nodes.1 = rabbit@rqm1\n",
            ),
        ),
        ("G4",),
        r"outlives_its_home|does not come back|leader of|(?:publishing|delivery)_stalls|not served|steady state",
    ),
    Mutant(
        "R08",
        "`heartbeat = 0`",
        "LBCUT, FREEZE",
        (Replaced(CONF, HEARTBEAT, "heartbeat = 0\n"),),
        ("G2",),
        r"silent_client_is_noticed.*budget \d+ s",
    ),
    Mutant(
        "R11",
        "`disk_free_limit` larger than what is free",
        "S",
        (Replaced(CONF, "disk_free_limit.absolute = 500MB", "disk_free_limit.absolute = 500000GB"),),
        BRING_UP,
        r"disk_free alarm",
    ),
    Mutant(
        "R12",
        "`mnesia_table_loading_retry_limit = 1`, time-out 5 s",
        "COLD",
        (
            Replaced(
                CONF,
                STRATEGY,
                f"{STRATEGY}mnesia_table_loading_retry_limit = 1\nmnesia_table_loading_retry_timeout = 5000\n",
            ),
        ),
        ("B3",),
        r"broker ended with \d+ by itself|not seen waiting",
    ),
    Mutant(
        "R13",
        "`classic_config` list misspelt on one node",
        "BOOT",
        (
            OwnCopy("rmq3", CONF),
            Replaced("rmq3/rabbitmq.conf", "nodes.1 = rabbit@rmq1", "nodes.1 = rabbit@rqm1"),
            Replaced("rmq3/rabbitmq.conf", "nodes.2 = rabbit@rmq2", "nodes.2 = rabbit@rqm2"),
        ),
        BRING_UP,
        r"every broker (seeing every broker|listening)",
    ),
    Mutant(
        "R15",
        "a classic queue without a policy taken for HA",
        "KILL",
        (
            Replaced(
                DEFINITIONS,
                f"{ALL_NODES}{SYNC}        {ON_FAILURE},\n        {ON_SHUTDOWN}\n",
                '        "max-length": 1000000\n',
            ),
        ),
        ("G3", "G4"),
        HA_ORDERS,
    ),
    Mutant(
        "R22",
        "`proxy_protocol = true` without `send-proxy`",
        "S",
        (Replaced(CONF, LISTENER, f"{LISTENER}proxy_protocol = true\n"),),
        BRING_UP,
        r"not UP|listening|clients are not served",
    ),
    Mutant(
        "R22a",
        "`send-proxy` without `proxy_protocol`: every check is green",
        "S",
        tuple(
            Replaced("haproxy.cfg", f"198.18.40.4{n}:5672 check\n", f"198.18.40.4{n}:5672 check send-proxy\n")
            for n in range(3)
        ),
        ("G6",),
        r"connections_through_the_vip.*0 of",
    ),
    Mutant(
        "R23",
        "`loopback_users = none` with guest",
        "S",
        (
            Replaced(CONF, LISTENER, f"{LISTENER}loopback_users = none\n"),
            Replaced(DEFINITIONS, USER, USER.rstrip("\n") + ",\n" + GUEST),
            Replaced(
                DEFINITIONS, PERMISSION, PERMISSION.rstrip("\n") + ",\n" + PERMISSION.replace("orders-app", "guest")
            ),
        ),
        ("G9",),
        r"no_open_doors.*guest",
    ),
    Mutant(
        "O10",
        "`force_boot` on every start",
        "COLD",
        (Added(ENV, FORCES_ITS_BOOT),),
        ("B3",),
        r"not seen waiting|partitioned|steady state",
    ),
    Mutant(
        "P01",
        "`ha-mode exactly`, `ha-params 1`",
        "KILL",
        (Replaced(DEFINITIONS, ALL_NODES, '        "ha-mode": "exactly",\n        "ha-params": 1,\n'),),
        ("G3", "G4"),
        HA_ORDERS,
    ),
    Mutant(
        "P02",
        "no `ha-sync-mode`",
        "KILL, rejoin, KILL",
        (Replaced(DEFINITIONS, SYNC, ""),),
        ("G4",),
        r"in_sync_after_the_return.*ha\.orders",
    ),
    Mutant(
        "P03",
        "shutdown promotion `always` with unsynced mirrors",
        "ROLL",
        (
            Replaced(DEFINITIONS, SYNC, ""),
            Replaced(DEFINITIONS, ON_SHUTDOWN, ON_SHUTDOWN.replace("when-synced", "always")),
        ),
        ("G4",),
        r"in_sync_after_the_return.*ha\.orders",
    ),
    Mutant(
        "P04",
        "failure promotion `always`",
        "KILL during sync",
        (Replaced(DEFINITIONS, ON_FAILURE, ON_FAILURE.replace("when-synced", "always")),),
        ("G3", "G4"),
        r"nothing_confirmed_is_lost|replicas",
        missed="with automatic synchronisation it loses messages only when the master dies while its one mirror is still "
        "catching up: S9 does that, and is too long for the gate",
    ),
    Mutant(
        "P05",
        "policy pattern that matches nothing",
        "KILL",
        (Replaced(DEFINITIONS, '"pattern": "^ha\\\\.",', '"pattern": "^ha-",'),),
        ("G3", "G4"),
        HA_ORDERS,
    ),
    Mutant(
        "P08",
        "wrong `apply-to`",
        "S, KILL",
        (Replaced(DEFINITIONS, '"apply-to": "queues"', '"apply-to": "exchanges"'),),
        ("G3", "G4"),
        HA_ORDERS,
    ),
    Mutant(
        "P09",
        "policy in another vhost than the queues",
        "S, KILL",
        (
            Replaced(DEFINITIONS, VHOST, VHOST.rstrip("\n") + ',\n    {\n      "name": "/"\n    }\n'),
            Replaced(DEFINITIONS, POLICY_PLACE, POLICY_PLACE.replace('"orders"', '"/"')),
        ),
        ("G3", "G4"),
        HA_ORDERS,
    ),
    Mutant(
        "P19",
        "`x-quorum-initial-group-size: 1`",
        "KILL",
        (Replaced(TOPOLOGY, QUORUM, QUORUM.rstrip("\n") + ',\n        "x-quorum-initial-group-size": 1\n'),),
        ("G3", "G4"),
        REPLICAS.format(r"quorum\.orders"),
    ),
    Mutant(
        "P23",
        "`durable: false` queue",
        "ROLL, COLD",
        (Replaced(TOPOLOGY, HA_QUEUE, HA_QUEUE.replace("true", "false")),),
        ("B1", "G11"),
        r"declared_things_are_there.*ha\.orders",
    ),
    Mutant(
        "P25",
        "definitions without users on a blank node",
        "BOOT",
        (Replaced(DEFINITIONS, USER, ""), Replaced(DEFINITIONS, PERMISSION, "")),
        ("G10",),
        r"somebody_can_log_in",
    ),
)
