"""Every scenario id there is: its chapter, what is done to the stack, and whether it is a promise or a demonstration.

A *promise* holds on every stack and colours its verdict. A *demonstration* sets an unsafe thing itself and must see
what it costs; it runs on the reference stack only. Some promises turn into a demonstration under a condition (B6 with
one node started alone, P3 with channels opened in the cut, P16 with an L4 check, V5 and V12 with a weak check, V8 with a master that preempts, V15 with a
short time-out): the test that shows it says ``rmq_scenario("V12", kind="demonstration")``. The recovery after a
demonstration is a promise wherever the stack itself decides it: V3 and V6 have a test of each kind on one play
(``rmq_scenario("V6", kind="promise")``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_rmqha.errors import UserInputError

PROMISE, DEMONSTRATION = KINDS = ("promise", "demonstration")


@dataclass(frozen=True)
class Scenario:
    """One row of the catalogue; ``chapter`` is a key of ``CHAPTERS``, or 10 and up for somebody's own.

    ``runs_with``: the chapter beside which it runs, where that is not its own.
    """

    id: str
    chapter: int
    title: str
    kind: str = PROMISE
    runs_with: int | None = None

    @property
    def turn(self) -> int:
        return self.chapter if self.runs_with is None else self.runs_with


CHAPTERS: Mapping[int, str] = {
    0: "Promises on any configuration",
    1: "Node failure",
    2: "Mirror synchronisation and promotion",
    3: "Partitions",
    4: "Whole-cluster stop and start order",
    5: "Membership, metadata, node types",
    6: "Planned maintenance",
    7: "Balancers and VIP",
    8: "Clients",
    9: "Resources and mixed load",
}

DEMONSTRATIONS = frozenset(
    [
        "N8",
        "N13",
        "N15",
        "S1",
        "S4",
        "S5",
        "S6",
        "S7",
        "S8",
        "S13",
        "P1",
        "P4",
        "P5",
        "P6",
        "B2",
        "B8",
        "B11",
        "B12",
        "C1",
        "C2",
        "C6",
        "C10",
        "R2",
        "V3",
        "V6",
        "V7",
        "K5",
        "K11",
    ]
)

RUNS_WITH: Mapping[str, int] = {"G1": 10, "G2": 10, "G7": 7, "G8": 7, "G11": 10}
"""The balancers' promises run with the balancers; those about the whole run when every fault of it is over."""

_TABLE: Mapping[int, str] = {
    0: """
        G1  an idle client survives 90 s
        G2  a client that falls silent is noticed within 80 s
        G3  each durable queue has its replicas, all in sync
        G4  each durable queue outlives its home node
        G5  N-1 brokers carry everybody
        G6  connections through the VIP are served and spread over the brokers
        G7  each balancer carries the load when it is its turn
        G8  a balancer's return costs no outage of its own
        G9  no default login, no open management or statistics page through the VIP
        G10 members, users, policies and definitions are whole
        G11 what the files declare outlives every fault of the run
    """,
    1: """
        N1  SIGKILL the leader's node, mirrors synced
        N2  SIGTERM the leader's node, synced
        N3  SIGKILL a mirror/follower
        N4  SIGKILL the leader right after one confirm
        N5  SIGKILL the client's node, leader elsewhere
        N6  kill the leader, consumer with x-cancel-on-ha-failover
        N7  kill the leader under a prefetched, unacked batch
        N8  auto-ack consumer, kill the leader
        N9  bounce the leader five times, chasing it
        N10 SIGSTOP the leader's node for half the tick time, then CONT
        N11 SIGSTOP beyond the tick time, then CONT
        N12 kill the queue's own process / the Raft WAL process
        N13 SIGKILL two of three nodes
        N14 graceful stop_app instead of a kill; node stays reachable
        N15 unmirrored mode: home node {killed, stopped, stop_app} x queue {durable, not} x {persistent, transient}
        N16 publish and consume through a node that is not the queue's home
    """,
    2: """
        S1  ha-sync-mode: manual, promotion on shutdown always; fill; restart A, then B without syncing
        S2  sync mode manual, restarts one after the other, explicit sync_queue between
        S3  sync mode automatic, the same restarts
        S4  SIGKILL the master, only unsynced mirrors, on-failure always
        S5  SIGKILL the master, only unsynced mirrors, on-failure when-synced
        S6  graceful stop of the master, unsynced mirrors, defaults
        S7  graceful stop of the master, unsynced mirrors, on-shutdown always
        S8  graceful stop, unsynced: on-shutdown always + on-failure when-synced
        S9  kill the master in the middle of a sync
        S10 ha-mode: exactly 2: kill the mirror
        S11 master lost for good while mirrors were stopped: forget_cluster_node --offline first
        S12 ha-mode all / exactly / nodes: set, change, remove the policy before and after the queue exists, loaded
        S13 policy whose pattern does not match the queue
        S14 consume and ack half, purge another queue, then kill the master
    """,
    3: """
        P1  isolate one node, ignore
        P2  isolate one, pause_minority
        P3  confirm honesty: publish into the minority while it is cut
        P4  isolate one, autoheal
        P5  autoheal with the clients pinned to the minority
        P6  pause_if_all_down [C], C alone lost
        P7  cut A-B only (partial partition)
        P8  blip shorter than the tick time, clean close
        P9  second cut while recovering from the first
        P10 chained: C off, A off, heal C, heal B
        P12 queue leader isolated for 2 x the detector time
        P13 publisher on the isolated node, then heal
        P14 one-way cut; 200 ms latency; narrow bandwidth; a slicing, jittering link
        P15 flapping link: ten cuts in thirty seconds
        P16 isolated node behind the balancer: does the balancer stop feeding it?
    """,
    4: """
        B1  stop A,B,C; start C,B,A (last down, first up)
        B2  whole cluster stopped: start the first-stopped alone
        B3  whole cluster stopped: first-stopped, the last one inside the wait
        B4  whole cluster stopped: started in stop order, each start waited for
        B5  whole cluster stopped: all started at once, any order
        B6  SIGKILL all at the same moment (power cut), start one alone
        B7  SIGKILL all, start all
        B8  stop all, force_boot the first-stopped
        B9  the last-down node destroyed, forget_cluster_node --offline, boot a survivor
        B10 interrupted boot: kill a node while it is starting, start again
        B11 RAM node starts first (3.x)
        B12 what a restart keeps of durable and other queues, exchanges, bindings, persistent and other messages
        B13 single mode: stop, kill, stop_app, restart
    """,
    5: """
        C1  declare queue / exchange / binding / user / vhost / policy on a minority
        C2  kill the only disc node of a 1 disc + 2 RAM cluster
        C3  two disc nodes, kill one
        C4  join, leave (reset), rejoin a node under load
        C5  forget a dead node; add a fresh one; grow quorum queues
        C6  data directory wiped, node restarts
        C7  different Erlang cookie
        C8  change_cluster_node_type ram <-> disc (3.x)
        C9  definitions digest on every node after each fault
        C10 rabbitmqctl reset of a standalone node
        C11 vhost isolation: a load in one vhost, faults and permissions in another
        C12 3.x: durable queue homed on a RAM node, RAM node restarts; clients served by the RAM nodes only
        C13 join through a RAM peer, as RAM node, through the second node; convert or reset the last disc node
        C14 set_cluster_name, visible on every node, after restart and through the VIP
        C15 cookie file of the wrong mode or owner; the CLI with another cookie; a wrong name in /etc/hosts
        C16 a node of another version tries to join (every pair of the lines)
    """,
    6: """
        R1  rolling restart, waiting for sync / quorum each time
        R2  rolling restart without waiting
        R3  rolling SIGKILL
        R4  drain -> restart -> revive
        R5  check_if_node_is_mirror_sync_critical / ..._quorum_critical
        R6  rebalance under load
        R7  rolling configuration reload of haproxy, keepalived and broker
    """,
    7: """
        V1  SIGTERM keepalived on the master
        V2  kill the whole balancer container
        V3  SIGKILL keepalived alone
        V4  kill haproxy on the master
        V5  SIGSTOP haproxy
        V6  drop VRRP both ways
        V7  drop VRRP one way
        V8  failed master returns: preempt, nopreempt, preempt_delay
        V9  reload or boot both at once
        V10 haproxy reload under load
        V11 SIGKILL a broker
        V12 SIGSTOP a broker
        V13 broker paused by pause_minority
        V14 silent drop balancer -> broker
        V15 idle consumer longer than timeout client, heartbeat off / 10 s
        V16 all backends down, then up
        V17 both balancers down, then one up
        V18 connections spread over the brokers, before and after a node's return
        V19 management UI and API through the VIP (15672) follow the VIP
        V20 haproxy statistics page tells the truth
        V21 keepalived notify script writes each transition
        V23 haproxy's log has each backend transition and each client's session
        V24 two VRRP instances and VIPs crossed over the two balancers, as in the how-to; kill one balancer
        V25 the tracked interface of the master goes down; FAULT state
        V26 a foreign VRRP group with the same router id on the same network
        V27 balancer "host" rebooted (both programs start as after boot)
        V22 every balancer fault again with the other balancer holding the VIP
    """,
    8: """
        K1  cut before the confirm arrives
        K2  connection reset in mid-publish; limit_data
        K3  ack lost on the wire
        K4  reconnect re-registers the consumer
        K5  more than 20 crashes on the same message
        K7  at-least-once dead-lettering under a partition
        K8  single active consumer fail-over
        K9  three ways to connect: a list of nodes, DNS with a short TTL, the VIP
        K10 reject-publish full queue + leader kill
        K11 unsafe habits: no confirms, auto-ack, transient messages, no reconnect, fixed exclusive names, heartbeat 0
    """,
    9: """
        L1  memory alarm on one node
        L2  disk alarm, then leader kill
        L5  200 queues x 100 messages through N1 and B5
        L9  one queue's rate and network bytes between nodes: single, normal, mirrored, quorum
        L10 100 000 messages of backlog through N1, S9 and B5
        L6  connection storm (1 000 clients) after a VIP move
        L8  random seeded campaign of compound faults, 10 minutes and more
    """,
}


def _read() -> Mapping[str, Scenario]:
    found: dict[str, Scenario] = {}
    for chapter, text in _TABLE.items():
        for line in text.strip().splitlines():
            name, title = line.split(maxsplit=1)
            kind = DEMONSTRATION if name in DEMONSTRATIONS else PROMISE
            found[name] = Scenario(name, chapter, title.strip(), kind, RUNS_WITH.get(name))
    return found


CATALOGUE: Mapping[str, Scenario] = _read()


def find(name: str, more: Mapping[str, Scenario] | None = None) -> Scenario:
    """The scenario of that id, from the catalogue or ``more`` (what a conftest adds); UserInputError if none."""
    known = {**CATALOGUE, **(more or {})}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(str(name).upper(), known, n=3, cutoff=0.5)
    raise UserInputError(
        "marker rmq_scenario: id",
        repr(name),
        "an id of the catalogue, G1 to L10",
        f"write {' or '.join(near)}" if near else "add your own ids with the hook pytest_rmqha_scenarios",
    )


def order(name: str) -> tuple[str, int]:
    """Sorts N2 before N10."""
    match = re.fullmatch(r"(\D*)(\d*)", name)
    return (match[1], int(match[2] or 0)) if match else (name, 0)
