"""Each variant is the reference but for the lines that it is there for, shown here as they stand in the files."""

from __future__ import annotations

import difflib
import filecmp
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pytest_rmqha import data
from tests.gate.mutant import REFERENCE

STRATEGY = (
    "-# The how-to left the partition strategy out: a cut cluster then runs on as two (split brain). A minority must pause.",
    "-cluster_partition_handling = pause_minority",
)
HOLDER = "-    # BACKUP on both with nopreempt: a returning balancer does not interrupt the clients a second time."

VARIANTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "autoheal": (
        "rabbitmq.conf",
        (
            *STRATEGY,
            "+# Variant autoheal: an unsafe strategy, set on purpose by a demonstration.",
            "+cluster_partition_handling = autoheal",
        ),
    ),
    "ignore": (
        "rabbitmq.conf",
        (
            *STRATEGY,
            "+# Variant ignore: an unsafe strategy, set on purpose by a demonstration.",
            "+cluster_partition_handling = ignore",
        ),
    ),
    "killall-check": (
        "check_haproxy.sh",
        (
            "-# Asks haproxy itself, not the process table: 'killall -0' passes on a frozen haproxy.",
            "-exec curl -fsS -o /dev/null --max-time 1 http://127.0.0.1:8405/alive",
            "+# The how-to's check: is there a process of that name? A frozen haproxy has one, so it keeps the VIP and serves nobody.",
            "+exec killall -0 haproxy",
        ),
    ),
    "preempt": (
        "lb1/keepalived.conf",
        (
            HOLDER,
            "-    nopreempt",
            "+    # Without nopreempt the balancer of the higher priority takes the VIP as soon as it is back: a second interruption.",
        ),
    ),
    "preempt-delay": (
        "lb1/keepalived.conf",
        (
            HOLDER,
            "-    nopreempt",
            "+    # It takes the VIP back 10 s after it is up again: the second interruption comes later, but it comes.",
            "+    preempt_delay 10",
        ),
    ),
}
"""Variant -> (the one file that it has, its lines gone and its lines new)."""


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def lines_of(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def test_every_variant_is_in_the_table() -> None:
    assert set(data.variants()) == set(VARIANTS)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_differs_from_the_reference_in_these_lines_only(name: str) -> None:
    file, expected = VARIANTS[name]
    folder = data.variant_folder(name)

    assert files_of(folder) == [file]
    diff = difflib.unified_diff(lines_of(REFERENCE / file), lines_of(folder / file), lineterm="", n=0)
    changed = [line for line in diff if not line.startswith(("---", "+++", "@@"))]
    assert sorted(changed) == sorted(expected)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variants_file_has_the_mode_of_the_one_it_stands_for(name: str) -> None:
    """keepalived's script security drops a check that is not executable: another fault than the variant's."""
    file, _ = VARIANTS[name]

    assert (data.variant_folder(name) / file).stat().st_mode == (REFERENCE / file).stat().st_mode
    assert not filecmp.cmp(data.variant_folder(name) / file, REFERENCE / file, shallow=False)
