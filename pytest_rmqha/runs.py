"""What the manifests of earlier runs say."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.run_folder import ALLOWED, MANIFEST
from pytest_rmqha.session_report import LeftOut, Measured, ScenarioRecord

Manifest = Mapping[str, Any]


def manifest_of(folder: Path, *, asked_by: str) -> Manifest:
    """UserInputError, naming ``asked_by``, when there is none or it can't be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        remedy = f"look for the run's folder: {error.strerror} {folder / MANIFEST}"
        raise UserInputError(asked_by, folder.name, ALLOWED, remedy) from None
    except ValueError as error:
        raise UserInputError(asked_by, folder.name, ALLOWED, f"{folder / MANIFEST} is no JSON: {error}") from None
    if not isinstance(found, dict) or not {"run", "settings", "scenarios", "left_out"} <= found.keys():
        raise UserInputError(asked_by, folder.name, ALLOWED, f"{folder / MANIFEST} is not a manifest of ours")
    return found


def newest_first(reports: Path, most: int = 50) -> list[Manifest]:
    """Manifests in a reports folder; what can't be read is passed over."""
    found: list[Manifest] = []
    for file in reports.glob(f"*/{MANIFEST}"):
        with contextlib.suppress(UserInputError):
            found.append(manifest_of(file.parent, asked_by="reports"))
    return sorted(found, key=lambda manifest: str(manifest.get("started", "")), reverse=True)[:most]


def setting(manifest: Manifest, name: str) -> object:
    """A setting's value in that run; None if it had no such setting."""
    found = manifest["settings"].get(name)
    return found.get("value") if isinstance(found, dict) else None


def records_of(manifest: Manifest) -> list[ScenarioRecord]:
    """Its scenarios as records; fields that we don't know are left out."""
    known = {field.name for field in fields(ScenarioRecord)}
    measures = {field.name for field in fields(Measured)}
    found = []
    for one in manifest["scenarios"]:
        kept: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in one.items() if name in known
        }
        kept["measured"] = Measured(**{n: v for n, v in (one.get("measured") or {}).items() if n in measures})
        found.append(ScenarioRecord(**kept))
    return found


def left_out_of(manifest: Manifest) -> list[LeftOut]:
    return [LeftOut(one["nodeid"], tuple(one["ids"]), one["reason"]) for one in manifest["left_out"]]
