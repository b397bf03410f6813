"""Folders that can't be read or written, full disks, and configurations that no member would read."""

from __future__ import annotations

from functools import partial

import pytest

from pytest_rmqha import reports_place
from tests.plugin.bad_input import machine
from tests.plugin.bad_input.conftest import World

WRITABLE = "expected a folder that user id {user} can write to. To do: give this user the right to write there, or name another place."


def test_a_file_where_the_reports_should_be(world: World) -> None:
    world.write("evidence", "x")
    world.refuses(
        world.pytest("--rmq-reports=evidence"),
        f"ERROR: --rmq-reports: got evidence; expected a folder. To do: {world.place}/evidence is a file: name another place.",
    )


def test_a_file_above_the_reports(world: World) -> None:
    world.write("evidence", "x")
    world.refuses(
        world.pytest("--rmq-reports=evidence/here"),
        f"ERROR: --rmq-reports: got {world.place}/evidence/here; expected a folder that can be made. To do: "
        f"{world.place}/evidence is a file: name another place.",
    )


@pytest.mark.needs("nobody")
def test_reports_that_this_user_may_not_write(world: World) -> None:
    place = world.place / "evidence"
    place.mkdir(mode=0o755)
    world.refuses(
        world.pytest("--rmq-reports=evidence", changes=(machine.become_nobody,)),
        f"ERROR: --rmq-reports: got {place}, where nothing can be written (Permission denied in {place}); "
        + WRITABLE.format(user=machine.NOBODY),
    )


@pytest.mark.needs("mounts")
def test_reports_on_a_full_disk(world: World) -> None:
    place = world.place / "evidence"
    place.mkdir()
    world.refuses(
        world.pytest("--rmq-reports=evidence/today", changes=(partial(machine.small_disk, place, "48k"),)),
        f"ERROR: --rmq-reports: got {place}/today on a disk with 0.0 MiB free; expected {reports_place.ROOM // 2**20} MiB "
        "for the evidence of a run. To do: free some space, or name a place on another disk.",
    )


@pytest.mark.needs("mounts")
def test_reports_on_a_disk_that_is_read_only(world: World) -> None:
    place = world.place / "evidence"
    place.mkdir()
    world.refuses(
        world.pytest("--rmq-reports=evidence", changes=(partial(machine.read_only_disk, place),)),
        f"ERROR: --rmq-reports: got {place}, where nothing can be written (Read-only file system in {place}); "
        + WRITABLE.format(user=0),
    )


def test_a_limit_on_what_may_be_written(world: World) -> None:
    world.refuses(
        world.pytest("--rmq-reports=evidence", changes=(machine.small_files,)),
        f"ERROR: --rmq-reports: got {world.place}/evidence, where nothing can be written (File too large in {world.place}); *",
    )


CONFIGURATION = "ERROR: --rmq-config: got theirs; expected a readable folder with rabbitmq.conf, *. To do: "
MEMBER = (
    "expected a member of topology 3node: rmq1, rmq2, rmq3, lb1, lb2. To do: rename it after a service or host name *"
)
FOLDERS = {
    "an empty folder": ((), CONFIGURATION + "* holds none of them: name the folder that does."),
    "notes only": (("README.md",), CONFIGURATION + "* holds none of them: name the folder that does."),
    "a misspelt file": (("rabitmq.conf", "haproxy.cfg"), CONFIGURATION + "nothing reads rabitmq.conf, *: write rabbitmq.conf."),
    "a file that nothing names": (("rabbitmq.conf", "old.txt"), CONFIGURATION + "nothing reads old.txt, so it would go untested: *"),
    "a member that does not exist": (
        ("rabbitmq.conf", "rmq9/rabbitmq.conf"),
        "ERROR: sub-folder of the configuration */theirs: got rmq9; " + MEMBER,
    ),
    "a balancer's file in a broker's folder": (
        ("haproxy.cfg", "rmq1/haproxy.cfg"),
        "ERROR: configuration */theirs: got rmq1/haproxy.cfg; expected files that rmq1, a broker, reads: *. To do: move it *",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("names", "message"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_configuration_folder_is_refused(world: World, names: tuple[str, ...], message: str) -> None:
    (world.place / "theirs").mkdir()
    for name in names:
        world.write(f"theirs/{name}", "# empty\n")

    world.refuses(world.pytest("--rmq-config=theirs"), message)


def test_a_file_instead_of_a_configuration_folder(world: World) -> None:
    world.write("theirs", "x")
    world.refuses(world.pytest("--rmq-config=theirs"), CONFIGURATION + "*/theirs is a file: name the folder.")


def test_a_configuration_file_that_is_a_link_to_nothing(world: World) -> None:
    world.write("theirs/haproxy.cfg", "# empty\n")
    (world.place / "theirs" / "rabbitmq.conf").symlink_to("/nowhere/rabbitmq.conf")
    world.refuses(
        world.pytest("--rmq-config=theirs"),
        CONFIGURATION + "make it readable (No such file or directory): */theirs/rabbitmq.conf.",
    )


@pytest.mark.needs("nobody")
@pytest.mark.parametrize(
    ("private", "remedy"),
    [
        ("theirs/rabbitmq.conf", "make it readable (Permission denied): */theirs/rabbitmq.conf."),
        ("theirs/rmq1", "make it readable: */theirs/rmq1: Permission denied."),
        ("theirs", "make it readable: */theirs: Permission denied."),
    ],
    ids=["a file", "a member's folder", "the folder"],
)
def test_a_configuration_that_this_user_may_not_read(world: World, private: str, remedy: str) -> None:
    world.write("theirs/rabbitmq.conf", "# empty\n")
    world.write("theirs/rmq1/advanced.config", "[].\n")
    (world.place / private).chmod(0o000)
    world.refuses(world.pytest("--rmq-config=theirs", changes=(machine.become_nobody,)), CONFIGURATION + remedy)


@pytest.mark.needs("nobody")
@pytest.mark.parametrize(("option", "inner"), [("topology", "own.yaml"), ("config", "theirs"), ("reports", "evidence")])
def test_what_lies_in_somebodys_private_folder(world: World, option: str, inner: str) -> None:
    world.write("private/own.yaml", "services: {}\n")
    world.write("private/theirs/rabbitmq.conf", "# empty\n")
    (world.place / "private").chmod(0o700)
    world.refuses(
        world.pytest(f"--rmq-{option}=./private/{inner}", changes=(machine.become_nobody,)),
        f"ERROR: --rmq-{option}: got *private/{inner}*; expected *. To do: *",
    )


@pytest.mark.needs("nobody")
def test_a_compose_file_that_this_user_may_not_read(world: World) -> None:
    world.write("own.yaml", "services: {}\n").chmod(0o000)
    world.refuses(
        world.pytest("--rmq-topology=./own.yaml", changes=(machine.become_nobody,)),
        "ERROR: compose file: got */own.yaml; expected a file that 'docker compose config' accepts. To do: correct what it "
        "says: open */own.yaml: permission denied.",
    )


@pytest.mark.parametrize(
    ("subnet", "brokers", "message"),
    [
        (
            "198.18.7.0/25",
            3,
            "198 to 206 (runner, load client and link proxies). To do: give the network of the compose file a larger subnet, *",
        ),
        (
            "198.18.7.0/24",
            9,
            "198 to 272 (runner, load client and link proxies). To do: *",
        ),
    ],
    ids=["a small subnet", "many brokers"],
)
@pytest.mark.parametrize("plan", [False, True], ids=["run", "plan"])
def test_no_room_in_the_subnet(world: World, subnet: str, brokers: int, message: str, plan: bool) -> None:
    services = "\n".join(
        f"  mq{n}: {{image: x, hostname: mq{n}, labels: {{rmqha.role: broker}}, networks: {{stack: {{ipv4_address: 198.18.7.{10 + n}}}}}}}"
        for n in range(brokers)
    )
    networks = f"{{stack: {{ipam: {{config: [{{subnet: {subnet}}}]}}}}}}"
    world.write("own.yaml", f"services:\n{services}\nnetworks: {networks}\n")

    world.refuses(
        world.pytest("--rmq-topology=./own.yaml", *(["--rmq-plan"] if plan else [])),
        f"ERROR: subnet of topology own: got {subnet} with {brokers} brokers; expected one with room for addresses number "
        + message,
    )


def test_an_address_that_the_harness_needs(world: World) -> None:
    world.write(
        "own.yaml",
        "services:\n  mq1: {image: x, hostname: mq1, labels: {rmqha.role: broker}, networks: {stack: {ipv4_address: 198.18.7.199}}}\n"
        "networks: {stack: {ipam: {config: [{subnet: 198.18.7.0/24}]}}}\n",
    )
    world.refuses(
        world.pytest("--rmq-topology=./own.yaml"),
        "ERROR: address of mq1: got 198.18.7.199; expected addresses outside of 198.18.7.198 to 198.18.7.199, which the "
        "harness gives to its own. To do: give mq1 another address in own.",
    )
