"""What is added to a user's compose file: addresses for the links, proxies, labels, images, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from pytest_rmqha.config.override import (
    LinkAddress,
    host_of,
    link_addresses,
    override,
    proxies_for,
    refuse_without_room,
)
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.topology import BalancerSpec, BrokerSpec, Topology

IMAGES = {"broker": "b:1", "balancer": "l:1", "toxiproxy": "t:1", "client": "c:1"}


def topology(brokers: int = 3, *, balancers: int = 1) -> Topology:
    return Topology(
        name="t",
        brokers=tuple(BrokerSpec(f"rmq{n}", f"host{n}", f"198.18.40.{n}0") for n in range(1, brokers + 1)),
        balancers=tuple(BalancerSpec(f"lb{n}", f"lb{n}", f"198.18.40.{n + 100}") for n in range(1, balancers + 1)),
        vip="198.18.40.99",
        subnet="198.18.40.0/24",
        gateway="198.18.40.1",
        network="stack",
    )


def written(of: Topology) -> dict[str, Any]:
    return dict(json.loads(override(of, IMAGES, {"rmqha.run": "r1"}, link_addresses(of))))


def test_each_ordered_pair_has_an_address_of_its_own_from_201_on() -> None:
    links = link_addresses(topology())

    assert links[0] == LinkAddress("rmq1", "rmq2", "198.18.40.201", "198.18.40.20")
    assert [(link.source, link.target) for link in links] == [
        ("rmq1", "rmq2"),
        ("rmq1", "rmq3"),
        ("rmq2", "rmq1"),
        ("rmq2", "rmq3"),
        ("rmq3", "rmq1"),
        ("rmq3", "rmq2"),
    ]
    assert [link.address for link in links] == [f"198.18.40.{n}" for n in range(201, 207)]


def test_one_broker_has_no_links() -> None:
    assert link_addresses(topology(1)) == ()


def test_a_link_is_an_epmd_and_a_distribution_proxy() -> None:
    assert proxies_for(link_addresses(topology(2))[:1]) == [
        {
            "name": "rmq1>rmq2:epmd",
            "listen": "198.18.40.201:4369",
            "upstream": "198.18.40.20:4369",
            "enabled": True,
        },
        {
            "name": "rmq1>rmq2:dist",
            "listen": "198.18.40.201:25672",
            "upstream": "198.18.40.20:25672",
            "enabled": True,
        },
    ]


def test_a_broker_finds_its_peers_by_name_at_the_proxies() -> None:
    services = written(topology())["services"]

    assert services["rmq2"]["extra_hosts"] == ["host1:198.18.40.203", "host3:198.18.40.204"]


def test_images_labels_and_no_restart_go_on_every_member() -> None:
    services = written(topology(balancers=2))["services"]

    assert {name: body["image"] for name, body in services.items()} == {
        "rmq1": "b:1",
        "rmq2": "b:1",
        "rmq3": "b:1",
        "lb1": "l:1",
        "lb2": "l:1",
        "rmqha-toxiproxy": "t:1",
        "rmqha-client": "c:1",
    }
    assert all(body["labels"]["rmqha.run"] == "r1" for body in services.values())
    assert all(services[name]["restart"] == "no" for name in ("rmq1", "lb2"))


@pytest.mark.parametrize(
    ("service", "role", "address"),
    [("rmqha-toxiproxy", "toxiproxy", "198.18.40.200"), ("rmqha-client", "client", "198.18.40.199")],
)
def test_ours_say_what_they_are_and_where(service: str, role: str, address: str) -> None:
    body = written(topology())["services"][service]

    assert body["labels"]["rmqha.role"] == role
    assert body["networks"] == {"stack": {"ipv4_address": address}}


def test_without_links_there_is_no_toxiproxy() -> None:
    services = written(topology(1, balancers=0))["services"]

    assert set(services) == {"rmq1", "rmqha-client"}
    assert services["rmq1"]["extra_hosts"] == []


def test_the_network_is_labelled_and_nothing_else_is_written() -> None:
    added = written(topology())

    assert set(added) == {"services", "networks"}
    assert added["networks"] == {"stack": {"labels": {"rmqha.run": "r1"}}}
    assert set(added["services"]["rmq1"]) == {"image", "labels", "restart", "extra_hosts"}


def test_a_host_is_counted_from_the_subnets_beginning() -> None:
    assert host_of(topology(), 7) == "198.18.40.7"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subnet": "198.18.40.0/25"}, r"subnet of topology t: got 198\.18\.40\.0/25 with 3 brokers; .*198 to 206"),
        ({"gateway": "198.18.40.198"}, r"address of the gateway: got 198\.18\.40\.198"),
        ({"vip": "198.18.40.199"}, r"address of a VIP: got 198\.18\.40\.199"),
        ({"gateway": "198.18.40.203"}, r"address of the gateway: got 198\.18\.40\.203"),
        (
            {"balancers": (BalancerSpec("lb1", "lb1", "198.18.40.206"),)},
            r"address of lb1: got 198\.18\.40\.206; expected addresses outside of 198\.18\.40\.198 to 198\.18\.40\.206",
        ),
    ],
)
def test_a_topology_without_room_for_what_is_added_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        refuse_without_room(dataclasses.replace(topology(), **change))


def test_eight_brokers_have_more_links_than_a_24_has_room_for() -> None:
    with pytest.raises(UserInputError, match=r"with 8 brokers; .*198 to 256"):
        refuse_without_room(dataclasses.replace(topology(8), vip=None))


def test_a_topology_with_room_is_not_refused() -> None:
    refuse_without_room(topology())
    refuse_without_room(topology(1))
