"""Reads a topology out of its compose file, and refuses what it cannot be sure about, each in one sentence.

It takes what ``docker compose config --format json`` makes of the file; labels may be a mapping or a list of ``key=value``.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.places import BALANCER_TARGETS, BROKER_TARGETS
from pytest_rmqha.topology import BalancerSpec, BrokerSpec, Topology

ROLES = ("broker", "balancer", "client", "toxiproxy")
NODE_TYPES = ("disc", "ram")
OURS = "rmqha/"
PLACES = (*BROKER_TARGETS.values(), *BALANCER_TARGETS.values())
DATA = "/var/lib/rabbitmq"
ANOTHER_FILE = re.compile(r"RABBITMQ_(CONFIG|ADVANCED_CONFIG|CONF_ENV|ENABLED_PLUGINS)_FILES?")


def from_compose(config: Mapping[str, Any], name: str) -> Topology:
    """The topology ``name`` in ``config``; UserInputError where a label, name or address is missing or contradicts."""
    services = _services(name, config)
    labels = {service: _labels(body) for service, body in services.items()}
    roles = {service: _role(name, service, labels[service]) for service in services}
    brokers = [s for s, role in roles.items() if role == "broker"]
    balancers = [s for s, role in roles.items() if role == "balancer"]
    if not brokers:
        raise UserInputError(
            f"brokers of topology {name}",
            f"none among {_listed(services)}",
            "at least one service with the label rmqha.role: broker",
            "put the label on each service that runs RabbitMQ",
        )
    network = _network(name, services, (*brokers, *balancers))
    _refuse_forgotten(name, services, roles, network)
    subnet, gateway = _subnet(name, network, config)
    addresses = {s: _address(name, s, services[s], network, subnet) for s in (*brokers, *balancers)}
    vip = _vip(name, {s: labels[s] for s in balancers}, subnet)
    others = _addresses_of_others(services, roles, network)
    _all_different(name, [("the gateway", gateway), *addresses.items(), *others, *([("the VIP", vip)] if vip else [])])
    _refuse_own_places(name, services, (*brokers, *balancers))
    names = {s: _hostname(name, s, services[s]) for s in (*brokers, *balancers)}
    _all_different(name, list(names.items()), "host name")
    return Topology(
        name=name,
        brokers=tuple(BrokerSpec(s, names[s], addresses[s], _node_type(name, s, labels[s])) for s in brokers),
        balancers=tuple(BalancerSpec(s, names[s], addresses[s], _nofile(services[s])) for s in balancers),
        vip=vip,
        subnet=str(subnet),
        gateway=gateway,
        network=network,
        images=_images(name, services, (("broker", brokers), ("balancer", balancers))),
    )


def _refuse_own_places(name: str, services: Mapping[str, Any], members: Iterable[str]) -> None:
    """Configuration comes out of a folder and is copied in: what a compose file lays over it would run instead, and a folder
    of the host would be written to.
    """
    for service in members:
        body = services[service]
        for kind, target in _mounted(body):
            hidden = [place for place in PLACES if PurePosixPath(place).is_relative_to(target)]
            if kind == "bind" and PurePosixPath(DATA).is_relative_to(target):
                raise UserInputError(
                    f"mounts of service {service} in topology {name}",
                    target,
                    f"no folder of the host at {DATA}: each run begins with empty disks and a cookie of its own",
                    "take the mount out, or make it a named volume",
                )
            if hidden:
                raise UserInputError(
                    f"mounts of service {service} in topology {name}",
                    target,
                    f"none that holds {', '.join(hidden[:3])}",
                    "give these files by --rmq-config, and take the mount out",
                )
        for variable, place in _environment(body):
            if (
                ANOTHER_FILE.fullmatch(variable)
                and place
                and not {place, f"{place}.conf", f"{place}.config"} & {*PLACES}
            ):
                raise UserInputError(
                    f"environment of service {service} in topology {name}",
                    variable,
                    "none that makes the broker read other files than those of /etc/rabbitmq",
                    "give the file by --rmq-config, and take the variable out",
                )


def _mounted(service: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(kind, target) of its mounts, in the long form and in the short one (``./here:/there:ro``)."""
    for key in ("volumes", "configs", "secrets"):
        for mount in service.get(key) or ():
            if isinstance(mount, Mapping) and mount.get("target"):
                yield str(mount.get("type") or key), str(mount["target"])
            elif isinstance(mount, str) and ":" in mount:
                source, target = mount.split(":")[:2]
                yield "bind" if source[:1] in ("/", ".", "~") else "volume", target
    tmpfs = service.get("tmpfs") or ()
    for entry in [tmpfs] if isinstance(tmpfs, str) else tmpfs:
        yield "tmpfs", str(entry).partition(":")[0]


def _environment(service: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(name, value); empty where it takes the value of ours, or none."""
    stated = service.get("environment") or {}
    pairs = stated.items() if isinstance(stated, Mapping) else (str(entry).partition("=")[::2] for entry in stated)
    return [(str(key), "" if value is None else str(value)) for key, value in pairs]


def _images(
    name: str, services: Mapping[str, Any], roles: Iterable[tuple[str, Sequence[str]]]
) -> tuple[tuple[str, str], ...]:
    """The image of each role that is not one of ours: it is run, as an image option is. One for all members of a role."""
    found = []
    for role, members in roles:
        stated = {str(services[s]["image"]): s for s in members if services[s].get("image")}
        if len({image if not image.startswith(OURS) else OURS for image in stated}) > 1:
            raise UserInputError(
                f"images of the {role}s of topology {name}",
                _listed(f"{image} ({service})" for image, service in stated.items()),
                f"one image for all {role}s",
                "name the same image in each: members of several versions are judged by the expectations of none",
            )
        found += [(role, image) for image in stated if not image.startswith(OURS)]
    return tuple(found)


def _nofile(service: Mapping[str, Any]) -> tuple[int, int] | None:
    """Of what ``docker compose config`` has found to be well-formed: one number, or a soft and a hard one."""
    stated = (service.get("ulimits") or {}).get("nofile")
    if isinstance(stated, Mapping):
        return int(stated["soft"]), int(stated["hard"])
    return None if stated is None else (int(stated), int(stated))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "no services"


def _services(name: str, config: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    services = config.get("services") or {}
    if not isinstance(services, Mapping) or not all(isinstance(body or {}, Mapping) for body in services.values()):
        raise UserInputError(
            f"services of topology {name}",
            repr(services)[:80],
            "names, each with a mapping of image, hostname, labels and networks",
            "correct the compose file",
        )
    return {str(service): body or {} for service, body in services.items()}


def _refuse_forgotten(name: str, services: Mapping[str, Any], roles: Mapping[str, str | None], network: str) -> None:
    """A service like a member (same image, same network) without a role: it would run, and nothing would look at it."""
    of_image = {services[s].get("image"): s for s, role in roles.items() if role in ("broker", "balancer")}
    for service, body in services.items():
        like = of_image.get(body.get("image")) if body.get("image") else None
        if roles[service] is None and like is not None and network in (body.get("networks") or {}):
            raise UserInputError(
                f"label rmqha.role of service {service} in topology {name}",
                "none",
                f"{roles[like]}, as {like} with the same image has it",
                f"put the label on it, or take it off network {network} if it is no member",
            )


def _labels(service: Mapping[str, Any]) -> Mapping[str, str]:
    labels = service.get("labels") or {}
    if isinstance(labels, Mapping):
        return {key: str(value) for key, value in labels.items()}
    return {key: value for key, _, value in (str(label).partition("=") for label in labels)}


def _role(name: str, service: str, labels: Mapping[str, str]) -> str | None:
    role = labels.get("rmqha.role")
    if role is not None and role not in ROLES:
        raise UserInputError(
            f"label rmqha.role of service {service} in topology {name}",
            role,
            ", ".join(ROLES),
            f"{_near(role, ROLES)}, or remove the label if the service is no member",
        )
    return role


def _near(text: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(text, list(known), n=1, cutoff=0.6)
    return f"write {close[0]}" if close else "correct the label"


def _node_type(name: str, service: str, labels: Mapping[str, str]) -> str:
    node_type = labels.get("rmqha.node-type", "disc")
    if node_type not in NODE_TYPES:
        raise UserInputError(
            f"label rmqha.node-type of service {service} in topology {name}",
            node_type,
            ", ".join(NODE_TYPES),
            f"{_near(node_type, NODE_TYPES)}; without the label a broker is a disc node",
        )
    return node_type


def _hostname(name: str, service: str, body: Mapping[str, Any]) -> str:
    hostname = body.get("hostname")
    if not hostname:
        raise UserInputError(
            f"host name of service {service} in topology {name}",
            "none",
            "a host name: brokers and balancers know each other by it",
            f"add 'hostname: {service}' to the service",
        )
    return str(hostname)


def _network(name: str, services: Mapping[str, Any], members: Iterable[str]) -> str:
    first: tuple[str, str] | None = None
    for service in members:
        networks = list(services[service].get("networks") or {})
        if len(networks) != 1:
            raise UserInputError(
                f"networks of service {service} in topology {name}",
                _listed(networks) if networks else "none",
                "exactly one",
                "leave one network, with an ipv4_address: faults cut it, and a second one would be a way around them",
            )
        if first is None:
            first = (service, networks[0])
        elif networks[0] != first[1]:
            raise UserInputError(
                f"network of service {service} in topology {name}",
                networks[0],
                f"{first[1]}, where service {first[0]} is",
                "put all brokers and balancers on one network",
            )
    assert first is not None, "there is at least one member"
    return first[1]


def _subnet(name: str, network: str, config: Mapping[str, Any]) -> tuple[ipaddress.IPv4Network, str]:
    pools = (((config.get("networks") or {}).get(network) or {}).get("ipam") or {}).get("config") or []
    what = f"subnet of network {network} in topology {name}"
    remedy = "give the network one ipam subnet, e.g. 198.18.40.0/24"
    if len(pools) != 1 or not pools[0].get("subnet"):
        got = _listed(str(pool.get("subnet")) for pool in pools) if pools else "none"
        raise UserInputError(what, got, "exactly one IPv4 subnet", remedy)
    try:
        subnet = ipaddress.IPv4Network(pools[0]["subnet"])
    except ValueError as error:
        raise UserInputError(what, str(pools[0]["subnet"]), "an IPv4 subnet", f"{remedy} ({error})") from None
    gateway = str(pools[0].get("gateway") or subnet[min(1, subnet.num_addresses - 1)])
    return subnet, _inside(f"gateway of network {network} in topology {name}", gateway, subnet)


def _inside(what: str, address: str, subnet: ipaddress.IPv4Network) -> str:
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        raise UserInputError(what, address, f"an IPv4 address in {subnet}", "correct the address") from None
    if parsed not in subnet:
        raise UserInputError(
            what, address, f"an address in {subnet}", "correct the address or the subnet of the network"
        )
    if parsed in (subnet.network_address, subnet.broadcast_address):
        raise UserInputError(what, address, f"neither the first nor the last address of {subnet}", "take another one")
    return address


def _address(name: str, service: str, body: Mapping[str, Any], network: str, subnet: ipaddress.IPv4Network) -> str:
    networks = body["networks"]
    attachment = networks.get(network) if isinstance(networks, Mapping) else None
    what = f"address of service {service} in topology {name}"
    address = (attachment or {}).get("ipv4_address")
    if not address:
        raise UserInputError(
            what,
            "none",
            f"an address in {subnet}",
            f"add 'networks: {{{network}: {{ipv4_address: ...}}}}': configuration files hold it",
        )
    return _inside(what, str(address), subnet)


def _vip(name: str, labels: Mapping[str, Mapping[str, str]], subnet: ipaddress.IPv4Network) -> str | None:
    """The VIP that all balancers agree on, if there are any balancers. A second one is refused: nobody would look at it."""
    agreed: tuple[str, str] | None = None
    for service, found in labels.items():
        label = found.get("rmqha.vip", "").replace(" ", "")
        if not label:
            raise UserInputError(
                f"label rmqha.vip of balancer {service} in topology {name}",
                "none",
                f"an address in {subnet}",
                "name the VIP that keepalived holds, the same on each balancer",
            )
        if agreed is not None and label != agreed[1]:
            raise UserInputError(
                f"label rmqha.vip of balancer {service} in topology {name}",
                label,
                f"{agreed[1]}, as balancer {agreed[0]} says",
                "name the same VIP on each balancer",
            )
        agreed = (service, label)
    what = f"label rmqha.vip of topology {name}"
    if agreed is not None and "," in agreed[1]:
        expected = "one address: one VIP is watched, and nobody would see what becomes of another"
        raise UserInputError(what, agreed[1], expected, "name the one by which clients reach the brokers")
    return _inside(what, agreed[1], subnet) if agreed else None


def _addresses_of_others(
    services: Mapping[str, Any], roles: Mapping[str, str | None], network: str
) -> Iterable[tuple[str, str]]:
    for service, body in services.items():
        networks = body.get("networks")
        attachment = networks.get(network) if isinstance(networks, Mapping) else None
        if roles[service] not in ("broker", "balancer") and attachment and attachment.get("ipv4_address"):
            yield service, str(attachment["ipv4_address"])


def _all_different(name: str, owners: Iterable[tuple[str, str]], what: str = "address") -> None:
    seen: dict[str, str] = {}
    for owner, value in owners:
        if value in seen:
            raise UserInputError(
                f"{what} of {owner} in topology {name}",
                value,
                f"one that is not taken; {seen[value]} has it",
                f"give each its own {what}",
            )
        seen[value] = owner
