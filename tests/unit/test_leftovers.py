"""Whose containers may go: only those of an owner that is provably dead."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_rmqha.adapters.doctor import REFERENCE, free_subnets, routed
from pytest_rmqha.adapters.leftovers import owner_is_alive, start_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="owners are looked up in /proc")


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def labels(of: int, **more: str) -> dict[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ours = {"rmqha.run": "r", "rmqha.pid": str(of), "rmqha.host": socket.gethostname(), "rmqha.boot-id": boot}
    return {**ours, "rmqha.started": f"{time.time():.0f}", **{f"rmqha.{k}": v for k, v in more.items()}}


def test_a_living_owner_keeps_its_run(owner: subprocess.Popen[bytes]) -> None:
    assert owner_is_alive(labels(owner.pid))
    assert owner_is_alive(labels(owner.pid, start=start_of(owner.pid)))
    assert owner_is_alive(labels(os.getpid()))


def test_a_run_whose_owner_died_may_go(owner: subprocess.Popen[bytes]) -> None:
    its = labels(owner.pid, start=start_of(owner.pid))
    owner.kill()
    owner.wait()
    assert not owner_is_alive(its)


def test_an_owner_that_nobody_reaped_is_dead(owner: subprocess.Popen[bytes]) -> None:
    its = labels(owner.pid)
    owner.kill()
    os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)
    assert not owner_is_alive(its)


def test_a_number_given_again_is_another_process(owner: subprocess.Popen[bytes]) -> None:
    assert not owner_is_alive(labels(owner.pid, start=str(int(start_of(owner.pid)) - 1)))
    assert not owner_is_alive(labels(owner.pid, started=f"{time.time() - 3600:.0f}"))


def test_a_reboot_ends_every_owner() -> None:
    assert not owner_is_alive(labels(os.getpid(), **{"boot-id": "another"}))


def test_what_cannot_be_known_counts_as_alive(owner: subprocess.Popen[bytes]) -> None:
    assert owner_is_alive(labels(owner.pid, host="elsewhere"))
    assert owner_is_alive(labels(owner.pid, pid=""))


def test_the_reference_subnet_is_free_until_something_overlaps_it() -> None:
    assert len(free_subnets([])) == 512
    assert REFERENCE not in free_subnets(["198.18.40.0/24"])
    assert REFERENCE not in free_subnets(["198.18.0.0/16"])
    assert REFERENCE in free_subnets(["172.17.0.0/16", "0.0.0.0/0", "fd00::/64"])


def test_routes_are_read_in_the_order_of_the_kernel() -> None:
    table = (
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\nbr 002812C6 0 1 0 0 0 00FFFFFF 0 0 0\n"
    )
    assert routed(table) == ["198.18.40.0/255.255.255.0"]
