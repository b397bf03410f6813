"""A compose file that is none, that compose refuses, or that is no topology: said before an engine is even asked."""

from __future__ import annotations

import textwrap

import pytest

from pytest_rmqha.images.spec import wanted
from tests.plugin.bad_input.conftest import World

GOOD = """
services:
  mq1:
    image: rmqha/broker:3.10
    hostname: mq1
    labels: {rmqha.role: broker}
    networks: {stack: {ipv4_address: 198.18.7.11}}
  mq2:
    image: rmqha/broker:3.10
    hostname: mq2
    labels: {rmqha.role: broker}
    networks: {stack: {ipv4_address: 198.18.7.12}}
  lb1:
    image: rmqha/balancer:bookworm
    hostname: lb1
    labels: {rmqha.role: balancer, rmqha.vip: 198.18.7.20}
    networks: {stack: {ipv4_address: 198.18.7.21}}
  lb2:
    image: rmqha/balancer:bookworm
    hostname: lb2
    labels: {rmqha.role: balancer, rmqha.vip: 198.18.7.20}
    networks: {stack: {ipv4_address: 198.18.7.22}}
networks:
  stack:
    ipam: {config: [{subnet: 198.18.7.0/24}]}
"""
FILE = (
    "compose file: got */own.yaml; expected a file that 'docker compose config' accepts. To do: correct what it says: "
)


def spoiled(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


CASES = {
    "a tab where YAML wants blanks": ("services:\n\tmq1: {}\n", FILE + "yaml: line *"),
    "an unclosed bracket": (spoiled("{rmqha.role: broker}\n    networks: {stack: {ipv4_address: 198.18.7.11}}", "{rmqha"), FILE + "yaml: *"),
    "an empty file": ("", FILE + "empty compose file."),
    "bytes that are no text": (b"\xff\xfe\x00services", FILE + "yaml: *"),
    "a misspelt key": (spoiled("hostname: mq1", "hostnam: mq1"), FILE + "*services.mq1 Additional property hostnam is not allowed."),
    "a service without an image": (spoiled("    image: rmqha/broker:3.10\n    hostname: mq2\n", "    hostname: mq2\n"), FILE + '*service "mq2" has neither an image nor a build context*'),
    "a network that is not declared": (spoiled("mq1\n    labels: {rmqha.role: broker}\n    networks: {stack:", "mq1\n    labels: {rmqha.role: broker}\n    networks: {stak:"), FILE + '*service "mq1" refers to undefined network stak*'),
    "a file that is included and not there": ("include: [none.yaml]\n", FILE + "*none.yaml: no such file or directory."),
    "a variable that is written wrongly": (spoiled("hostname: mq1", "hostname: mq1${"), FILE + "invalid interpolation format for services.mq1.hostname*"),
    "brokers of two images": (
        spoiled("image: rmqha/broker:3.10\n    hostname: mq2", "image: rabbitmq:3.13\n    hostname: mq2"),
        "images of the brokers of topology own: got rmqha/broker:3.10 (mq1), rabbitmq:3.13 (mq2); expected one image for all brokers. To do: name the same image in each: members of several versions are judged by the expectations of none.",
    ),
    "no label at all": (
        GOOD.replace("labels: {rmqha.role: broker}", "labels: {}"),
        "brokers of topology own: got none among lb1, lb2, mq1, mq2; expected at least one service with the label rmqha.role: broker. To do: put the label on each service that runs RabbitMQ.",
    ),
    "one label forgotten": (
        spoiled("hostname: mq2\n    labels: {rmqha.role: broker}", "hostname: mq2"),
        "label rmqha.role of service mq2 in topology own: got none; expected broker, as mq1 with the same image has it. To do: put the label on it, or take it off network stack if it is no member.",
    ),
    "an unknown role": (
        spoiled("hostname: mq2\n    labels: {rmqha.role: broker}", "hostname: mq2\n    labels: {rmqha.role: brocker}"),
        "label rmqha.role of service mq2 in topology own: got brocker; expected broker, balancer, client, toxiproxy. To do: write broker, or remove the label if the service is no member.",
    ),
    "an unknown type of node": (
        spoiled("hostname: mq2\n    labels: {rmqha.role: broker}", "hostname: mq2\n    labels: {rmqha.role: broker, rmqha.node-type: disk}"),
        "label rmqha.node-type of service mq2 in topology own: got disk; expected disc, ram. To do: write disc; without the label a broker is a disc node.",
    ),
    "the same address twice": (
        spoiled("198.18.7.12", "198.18.7.11"),
        "address of mq2 in topology own: got 198.18.7.11; expected one that is not taken; mq1 has it. To do: give each its own address.",
    ),
    "the VIP is a balancer's own address": (
        GOOD.replace("198.18.7.20", "198.18.7.21"),
        "address of the VIP in topology own: got 198.18.7.21; expected one that is not taken; lb1 has it. To do: give each its own address.",
    ),
    "the gateway's address": (
        spoiled("198.18.7.12", "198.18.7.1"),
        "address of mq2 in topology own: got 198.18.7.1; expected one that is not taken; the gateway has it. To do: give each its own address.",
    ),
    "the broadcast address": (
        spoiled("198.18.7.12", "198.18.7.255"),
        "address of service mq2 in topology own: got 198.18.7.255; expected neither the first nor the last address of 198.18.7.0/24. To do: take another one.",
    ),
    "an address outside the subnet": (
        spoiled("198.18.7.12", "198.18.8.12"),
        "address of service mq2 in topology own: got 198.18.8.12; expected an address in 198.18.7.0/24. To do: correct the address or the subnet of the network.",
    ),
    "no address": (
        spoiled("{stack: {ipv4_address: 198.18.7.12}}", "[stack]"),
        "address of service mq2 in topology own: got none; expected an address in 198.18.7.0/24. To do: add 'networks: {stack: {ipv4_address: ...}}': configuration files hold it.",
    ),
    "two subnets of one network": (
        spoiled("[{subnet: 198.18.7.0/24}]", "[{subnet: 198.18.7.0/24}, {subnet: 198.18.9.0/24}]"),
        "subnet of network stack in topology own: got 198.18.7.0/24, 198.18.9.0/24; expected exactly one IPv4 subnet. To do: give the network one ipam subnet, e.g. 198.18.40.0/24.",
    ),
    "a member on two networks": (
        spoiled("{stack: {ipv4_address: 198.18.7.12}}", "{stack: {ipv4_address: 198.18.7.12}, default: {}}"),
        "networks of service mq2 in topology own: got default, stack; expected exactly one. To do: leave one network, *",
    ),
    "members on different networks": (
        spoiled("{stack: {ipv4_address: 198.18.7.22}}", "[default]"),
        "network of service lb2 in topology own: got default; expected stack, where service mq1 is. To do: put all brokers and balancers on one network.",
    ),
    "no subnet": (
        spoiled("ipam: {config: [{subnet: 198.18.7.0/24}]}", "internal: true"),
        "subnet of network stack in topology own: got none; expected exactly one IPv4 subnet. To do: *",
    ),
    "an IPv6 subnet": (
        spoiled("198.18.7.0/24", "fd00:7::/64"),
        "subnet of network stack in topology own: got fd00:7::/64; expected an IPv4 subnet. To do: *",
    ),
    "a subnet with host bits": (
        spoiled("198.18.7.0/24", "198.18.7.1/24"),
        "subnet of network stack in topology own: got 198.18.7.1/24; expected an IPv4 subnet. To do: *has host bits set*",
    ),
    "one balancer without a VIP": (
        spoiled("hostname: lb2\n    labels: {rmqha.role: balancer, rmqha.vip: 198.18.7.20}", "hostname: lb2\n    labels: {rmqha.role: balancer}"),
        "label rmqha.vip of balancer lb2 in topology own: got none; expected an address in 198.18.7.0/24. To do: name the VIP that keepalived holds, the same on each balancer.",
    ),
    "two different VIPs": (
        spoiled("hostname: lb2\n    labels: {rmqha.role: balancer, rmqha.vip: 198.18.7.20}", "hostname: lb2\n    labels: {rmqha.role: balancer, rmqha.vip: 198.18.7.29}"),
        "label rmqha.vip of balancer lb2 in topology own: got 198.18.7.29; expected 198.18.7.20, as balancer lb1 says. To do: name the same VIP on each balancer.",
    ),
    "a VIP that is no address": (
        GOOD.replace("198.18.7.20", "vip.example"),
        "label rmqha.vip of topology own: got vip.example; expected an IPv4 address in 198.18.7.0/24. To do: correct the address.",
    ),
    "the same host name twice": (
        spoiled("hostname: mq2", "hostname: mq1"),
        "host name of mq2 in topology own: got mq1; expected one that is not taken; mq1 has it. To do: give each its own host name.",
    ),
    "no host name": (
        spoiled("    hostname: mq2\n", ""),
        "host name of service mq2 in topology own: got none; expected a host name: brokers and balancers know each other by it. To do: add 'hostname: mq2' to the service.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES.keys())
def test_a_compose_file_is_refused(world: World, text: str | bytes, message: str) -> None:
    world.write("own.yaml", text)

    said = world.pytest("--rmq-topology=./own.yaml")

    world.refuses(said, f"ERROR: {message}")


IN_A_PLAN = {
    "a list of services": (
        "services: [mq1, mq2]\n",
        "services of topology own: got ['mq1', 'mq2']; expected names, each with a mapping of image, hostname, labels and networks. To do: correct the compose file.",
    ),
    "a service that is a word": (
        "services: {mq1: rabbitmq}\n",
        "services of topology own: got {'mq1': 'rabbitmq'}; expected names, each with a mapping of image, *",
    ),
    "a tab where YAML wants blanks": (
        "services:\n\tmq1: {}\n",
        "compose file: got */own.yaml; expected a readable compose file. To do: correct it: *",
    ),
    "nothing but a word": (
        "services",
        "compose file: got */own.yaml; expected a mapping with services and networks. To do: name a compose file.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), IN_A_PLAN.values(), ids=IN_A_PLAN.keys())
def test_a_plan_refuses_it_too_without_docker(world: World, text: str, message: str) -> None:
    world.write("own.yaml", textwrap.dedent(text))
    world.environment["PATH"] = ""

    world.refuses(world.pytest("--rmq-topology=./own.yaml", "--rmq-plan"), f"ERROR: {message}")


def test_an_image_that_it_states_is_the_one_that_is_run(world: World) -> None:
    world.write("own.yaml", GOOD.replace("rmqha/broker:3.10", "rabbitmq:3.13"))
    world.engine.images = {spec.tag: [] for spec in wanted("3.10", {})}

    said = world.pytest("--rmq-topology=./own.yaml")

    world.refuses(
        said,
        "ERROR: images: got not there: rabbitmq:3.13; expected images that were pulled or built before the run. "
        "To do: run 'rmqha images build --broker-image rabbitmq:3.13' first.",
    )


def test_an_image_that_it_states_is_named_in_the_header_unless_an_option_names_another(world: World) -> None:
    world.write("own.yaml", GOOD.replace("rmqha/balancer:bookworm", "mine/balancer:1"))
    world.environment["PATH"] = ""
    line = "image of the balancers: mine/balancer:1, as the compose file says"

    assert line in world.pytest("--rmq-topology=./own.yaml", "--rmq-plan").out
    said = world.pytest("--rmq-topology=./own.yaml", "--rmq-plan", "--rmq-balancer-image=mine/other:2")
    assert said.code == 0 and line not in said.out


def test_a_shipped_topology_is_planned_without_docker(world: World) -> None:
    world.environment["PATH"] = ""

    said = world.pytest("--rmq-topology=3node", "--rmq-plan")

    assert said.code == 0 and "N1 " in said.out, said
    assert "image of the" not in said.out
