"""A compose file is a topology, or it is refused with what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pytest_rmqha import data
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.selection import declared_topology
from pytest_rmqha.settings import Settings, resolve
from pytest_rmqha.topology import BalancerSpec, BrokerSpec
from pytest_rmqha.topology_reader import from_compose


def member(role: str, host: int, **labels: str) -> dict[str, Any]:
    return {
        "hostname": f"host{host}",
        "labels": {"rmqha.role": role} | {f"rmqha.{key.replace('_', '-')}": value for key, value in labels.items()},
        "networks": {"stack": {"ipv4_address": f"198.18.40.{host}"}},
    }


GOOD: dict[str, Any] = {
    "services": {
        "a": member("broker", 40),
        "b": member("broker", 41, node_type="ram"),
        "lb1": member("balancer", 43, vip="198.18.40.46"),
        "lb2": member("balancer", 44, vip="198.18.40.46"),
        "web": {"image": "nginx", "networks": {"default": None}},
    },
    "networks": {"stack": {"ipam": {"config": [{"subnet": "198.18.40.0/24"}]}}},
}


def test_names_addresses_and_the_vip_are_read() -> None:
    topology = from_compose(GOOD, "two")

    assert topology.brokers == (
        BrokerSpec("a", "host40", "198.18.40.40", "disc"),
        BrokerSpec("b", "host41", "198.18.40.41", "ram"),
    )
    assert topology.balancers[0] == BalancerSpec("lb1", "host43", "198.18.40.43")
    assert (topology.vip, topology.subnet, topology.gateway) == ("198.18.40.46", "198.18.40.0/24", "198.18.40.1")
    assert (topology.name, topology.network) == ("two", "stack")


@pytest.mark.parametrize(
    ("ulimits", "nofile"),
    [
        ({}, None),
        ({"nproc": 10}, None),
        ({"nofile": 4096}, (4096, 4096)),
        ({"nofile": {"soft": 1024, "hard": 4096}}, (1024, 4096)),
    ],
)
def test_a_balancers_own_limit_of_open_files_is_read(ulimits: dict[str, Any], nofile: tuple[int, int] | None) -> None:
    config = copy.deepcopy(GOOD)
    config["services"]["lb2"]["ulimits"] = ulimits
    assert [balancer.nofile for balancer in from_compose(config, "two").balancers] == [None, nofile]


def test_links_are_ordered_pairs_of_brokers() -> None:
    assert [(a.service, b.service) for a, b in from_compose(GOOD, "two").links] == [("a", "b"), ("b", "a")]


def test_labels_may_be_a_list() -> None:
    config = copy.deepcopy(GOOD)
    config["services"]["a"]["labels"] = ["rmqha.role=broker"]
    assert from_compose(config, "two") == from_compose(GOOD, "two")


def test_a_second_vip_is_refused_for_nobody_would_look_at_it() -> None:
    config = copy.deepcopy(GOOD)
    for name in ("lb1", "lb2"):
        config["services"][name]["labels"]["rmqha.vip"] = "198.18.40.46, 198.18.40.45"

    with pytest.raises(UserInputError, match=r"rmqha.vip.*got 198.18.40.46,198.18.40.45; expected one address"):
        from_compose(config, "two")


def test_without_balancers_there_is_no_vip() -> None:
    config = copy.deepcopy(GOOD)
    del config["services"]["lb1"], config["services"]["lb2"]
    assert from_compose(config, "bare").vip is None


def test_a_member_is_found_by_service_or_host_name() -> None:
    topology = from_compose(GOOD, "two")
    assert topology.member("a") is topology.member("host40")
    with pytest.raises(UserInputError, match="member of topology two: got c; expected a, b, lb1, lb2"):
        topology.member("c")


def drop_brokers(c: dict[str, Any]) -> None:
    del c["services"]["a"], c["services"]["b"]


def setting(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        place = config
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_brokers, "brokers of topology t: got none among lb1, lb2, web; .*rmqha.role: broker"),
        (setting("services", to={}), "brokers of topology t: got none among no services"),
        (setting("services", "a", "hostname", to=None), "host name of service a .*got none.*hostname: a"),
        (setting("services", "b", "hostname", to="host40"), "host name of b .*got host40; .*a has it"),
        (
            setting("services", "a", "labels", "rmqha.role", to="brocker"),
            "rmqha.role of service a .*got brocker; .*broker, bal",
        ),
        (
            setting("services", "a", "labels", "rmqha.node-type", to="disk"),
            "rmqha.node-type of service a.*got disk; .*disc, ram",
        ),
        (
            setting("services", "b", "networks", "stack", "ipv4_address", to="198.18.40.40"),
            "address of b .*40.40; .*a has it",
        ),
        (
            setting("services", "b", "networks", "stack", "ipv4_address", to="10.0.0.1"),
            "got 10.0.0.1; .*198.18.40.0/24",
        ),
        (
            setting("services", "b", "networks", "stack", "ipv4_address", to="rmq2"),
            "got rmq2; expected an IPv4 address",
        ),
        (setting("services", "b", "networks", "stack", to=None), "address of service b .*got none"),
        (
            setting("services", "b", "networks", "other", to={}),
            "networks of service b .*got stack, other; expected exactly one",
        ),
        (setting("services", "b", "networks", to=None), "networks of service b .*got none"),
        (setting("services", "b", "networks", to={"other": {}}), "network of service b .*got other; expected stack"),
        (setting("services", "lb2", "labels", "rmqha.vip", to=""), "rmqha.vip of balancer lb2 .*got none"),
        (
            setting("services", "lb2", "labels", "rmqha.vip", to="198.18.40.47"),
            "lb2 .*40.47; expected 198.18.40.46, as .*lb1",
        ),
        (
            setting("services", "lb1", "networks", "stack", "ipv4_address", to="198.18.40.46"),
            "address of the VIP .*lb1 has it",
        ),
        (setting("networks", to={}), "subnet of network stack .*got none"),
        (
            setting("services", "a", "volumes", to=[{"type": "bind", "source": "/x", "target": "/etc/rabbitmq"}]),
            "mounts of service a .*got /etc/rabbitmq; expected none that holds /etc/rabbitmq/rabbitmq.conf.*--rmq-config",
        ),
        (
            setting("services", "a", "volumes", to=["./data:/var/lib/rabbitmq"]),
            "mounts of service a .*got /var/lib/rabbitmq; expected no folder of the host .*named volume",
        ),
        (setting("services", "lb2", "tmpfs", to=["/etc/haproxy:size=1m"]), "mounts of service lb2 .*got /etc/haproxy"),
        (setting("services", "lb2", "tmpfs", to="/etc"), "mounts of service lb2 .*got /etc"),
        (
            setting("services", "lb1", "volumes", to=["./my.cfg:/etc/haproxy/haproxy.cfg:ro"]),
            "mounts of service lb1 .*got /etc/haproxy/haproxy.cfg",
        ),
        (
            setting("services", "b", "configs", to=[{"source": "c", "target": "/etc/rabbitmq/definitions.json"}]),
            "mounts of service b .*got /etc/rabbitmq/definitions.json",
        ),
        (
            setting("services", "a", "environment", to={"RABBITMQ_CONFIG_FILE": "/mine"}),
            "environment of service a .*got RABBITMQ_CONFIG_FILE; .*--rmq-config",
        ),
        (
            setting("services", "a", "environment", to=["A=b", "RABBITMQ_ADVANCED_CONFIG_FILE=/mine"]),
            "environment of service a .*got RABBITMQ_ADVANCED_CONFIG_FILE",
        ),
        (setting("networks", "stack", "ipam", "config", to=[{"subnet": "x"}]), "subnet of network stack .*got x"),
    ],
)
def test_what_contradicts_itself_is_refused(spoil: Callable[[dict[str, Any]], None], message: str) -> None:
    config = copy.deepcopy(GOOD)
    spoil(config)
    with pytest.raises(UserInputError, match=message):
        from_compose(config, "t")


def test_other_mounts_and_variables_are_theirs() -> None:
    config = copy.deepcopy(GOOD)
    config["services"]["a"] |= {
        "volumes": [
            {"type": "bind", "source": "/x", "target": "/etc/rabbitmq/tls"},
            {"type": "volume", "source": "d", "target": "/var/lib/rabbitmq"},
            "data:/var/lib/rabbitmq/mnesia",
            "/anonymous",
        ],
        "tmpfs": "/tmp",
        "environment": {
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2",
            "RABBITMQ_CONFIG_FILE": "/etc/rabbitmq/rabbitmq",
            "RABBITMQ_CONF_ENV_FILE": None,
        },
    }
    assert from_compose(config, "two").brokers == from_compose(GOOD, "two").brokers


def settings(tmp_topology: str) -> Settings:
    here = data.compose_folder()
    return resolve(
        lambda k: tmp_topology if k.name == "topology" else None, {}, lambda _: None, here=here, beside_ini=here
    )


@pytest.mark.parametrize("name", data.topologies())
def test_every_shipped_topology_can_be_read_without_docker(name: str) -> None:
    topology = declared_topology(settings(name), with_docker=False)
    assert topology.name == name
    assert topology.brokers
    assert (topology.vip is not None) == bool(topology.balancers)


def test_a_file_that_includes_others_needs_docker(tmp_path: Any) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("include: [other.yaml]\nservices: {}\n")
    with pytest.raises(UserInputError, match=r"docker compose -f .*own\.yaml config"):
        declared_topology(settings(str(file)), with_docker=False)


def test_an_image_of_somebodys_own_is_kept_and_ours_stands_for_the_lines() -> None:
    def of(**images: str) -> tuple[tuple[str, str], ...]:
        config = copy.deepcopy(GOOD)
        for service, image in images.items():
            config["services"][service]["image"] = image
        return from_compose(config, "two").images

    assert of() == of(a="rmqha/broker:3.10", b="rmqha/broker:3.10", lb1="rmqha/balancer:bookworm") == ()
    assert of(lb1="rmqha/balancer:bookworm", lb2="rmqha/balancer:trixie") == ()
    theirs = of(a="rabbitmq:3.13", b="rabbitmq:3.13", lb1="mine/lb", lb2="mine/lb")
    assert theirs == (("broker", "rabbitmq:3.13"), ("balancer", "mine/lb"))
    with pytest.raises(
        UserInputError, match=r"images of the balancers of topology two: got mine/lb \(lb1\), rmqha/b \(lb2\)"
    ):
        of(lb1="mine/lb", lb2="rmqha/b")
