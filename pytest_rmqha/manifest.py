"""The manifest of a run: what was tested, with what, under which settings, what was left out; checksums beside it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pytest_rmqha.session_report import LeftOut, Run, ScenarioRecord
from pytest_rmqha.settings import Settings

PACKAGES = ("pytest-rmqha", "pytest", "testcontainers", "docker", "pika", "toxiproxy-python", "allure-pytest")
SUMS = "SHA256SUMS"


def tool_versions() -> dict[str, str]:
    """Versions of Python and of the packages that make the verdict."""
    found = {"python": platform.python_version(), "kernel": platform.release()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def build(
    run: Run,
    settings: Settings,
    records: Sequence[ScenarioRecord],
    left_out: Sequence[LeftOut],
    *,
    finished: float,
    exit_status: int,
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """The manifest as JSON-able data. ``run.started`` and ``finished`` are UTC seconds since the epoch.

    Facts that fixtures know come from ``run.facts`` and keep their names: ``images`` (service -> id) and ``image_tags``
    (service -> tag), ``images_asked`` (role -> tag, known before anything stands), ``settled_on`` (what verdicts that were
    taken over rest on), ``stack`` (versions of the programs in it, of the engine and of compose), ``config_sha256`` (member
    -> file -> sum), ``imported_sha256`` (of the ``topology.json``), … A run whose stack never stood has no ``images``,
    ``image_tags`` or ``stack``.
    """
    return {
        **run.facts,
        "run": run.name,
        "started": _utc(run.started),
        "finished": _utc(finished),
        "exit_status": exit_status,
        "seed": settings.seed,
        "again": run.rerun,
        "settings": settings.as_dict(),
        "versions": dict(versions),
        "scenarios": [asdict(record) for record in records],
        "left_out": [asdict(one) for one in left_out],
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def write(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """``manifest.json`` and ``SHA256SUMS`` over every file of the folder; ``sha256sum -c SHA256SUMS`` checks them."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "manifest.json"
    file.write_text(json.dumps(manifest, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    (folder / SUMS).write_text(
        "".join(f"{_sha256(path)}  {path.relative_to(folder)}\n" for path in files), encoding="utf-8"
    )
    return file


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
