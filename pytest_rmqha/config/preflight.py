"""What no program checks: whether the members' files fit together. Each a warning, before anything starts. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_rmqha.config.definitions import definitions_said, major, policies_said
from pytest_rmqha.config.findings import Finding, about
from pytest_rmqha.config.origin import Files, conf_values, idle_limits, named, vrrp_of

HEARTBEATS = "rabbitmq.com/docs/heartbeats"
KEEPALIVED = "keepalived.conf(5)"
AGREED: Mapping[str, str] = {"virtual_router_id": "", "advert_int": "1", "auth_pass": ""}
"""What keepalived instances of one VIP have to have alike, and what it is when it isn't said."""


def heartbeats_said(broker: Files, balancer: Files, line: str) -> list[Finding]:
    """The heartbeat against haproxy's time-outs of an idle connection, and RAM nodes on lines that lost them."""
    found = []
    conf, haproxy = named(broker, "rabbitmq.conf"), named(balancer, "haproxy.cfg")
    values = conf_values(conf) if conf else {}
    at, text = values.get("heartbeat", (0, "60"))
    heartbeat = int(text) if text.isdigit() else None
    if conf and heartbeat == 0:
        found.append(about(conf, at, "heartbeat 0: a dead connection is never noticed", HEARTBEATS))
    if haproxy and heartbeat:
        for number, which, limit in idle_limits(haproxy):
            if limit < 2 * heartbeat:
                text = f"timeout {which} of {limit:g} s against a heartbeat of {heartbeat} s: under two of them"
                found.append(about(haproxy, number, f"{text}, idle clients are cut when one is late", HEARTBEATS))
    if conf and major(line) >= 4 and values.get("cluster_formation.node_type", (0, ""))[1] == "ram":
        at = values["cluster_formation.node_type"][0]
        found.append(about(conf, at, "RAM nodes are deprecated, and Khepri has none", "rabbitmq.com/docs/clustering"))
    return found


def vrrp_said(balancers: Mapping[str, Files], addresses: Mapping[str, str]) -> list[Finding]:
    """What two balancers have to agree on for the same VIP; ``addresses``: balancer -> its own address (keepalived.conf(5))."""
    found: list[Finding] = []
    read = {name: vrrp for name, files in balancers.items() if (vrrp := vrrp_of(files)) is not None}
    for name, vrrp in read.items():
        if vrrp.security and not vrrp.script_user:
            text = "enable_script_security without script_user: scripts run as keepalived_script, or not at all"
            found.append(about(vrrp.file, vrrp.security, text, KEEPALIVED))
        for other, theirs in read.items():
            for mine, its in ((m, i) for m in vrrp.instances for i in theirs.instances if m.vips & i.vips):
                if name < other:
                    for key, default in AGREED.items():
                        (at, a), (_, b) = mine.values.get(key, (0, default)), its.values.get(key, (0, default))
                        if a[:8] != b[:8] if key == "auth_pass" else a != b:
                            shown = "differs" if key == "auth_pass" else f"{a} here, {b} on {other}"
                            text = f"{key} {shown} (instances {mine.name}, {its.name}): both will hold the VIP"
                            found.append(about(vrrp.file, at, text, KEEPALIVED))
                if name != other and (mine.peers or its.peers) and addresses.get(other) not in mine.peers:
                    text = f"unicast_peer of {mine.name} lacks {addresses.get(other)} ({other}): not heard there, the VIP is held twice"
                    found.append(about(vrrp.file, 0, text, KEEPALIVED))
    return found


def across(
    brokers: Mapping[str, Files], balancers: Mapping[str, Files], addresses: Mapping[str, str], line: str
) -> list[Finding]:
    """All checks that no program makes, each finding once."""
    found = [f for files in brokers.values() for f in (*definitions_said(files), *policies_said(files, line))]
    for files in brokers.values():
        for balancer in balancers.values() or [()]:
            found += heartbeats_said(files, balancer, line)
    return list(dict.fromkeys(found + vrrp_said(balancers, addresses)))
