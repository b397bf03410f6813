"""Files and folders out of a container that has ended, to the same paths here."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import docker.errors
from docker.models.containers import Container

from pytest_rmqha.adapters.engine import TROUBLE
from pytest_rmqha.errors import ToolFailed


def bring_back(container: Container, places: Sequence[Path], known: Collection[Path]) -> int:
    """How many files came; a place that is not there has none. ``known`` ones stand here already and are left alone.

    ToolFailed when one can't be had or can't be written: then not all of the evidence is here.
    """
    return sum(_bring(container, place, known) for place in places)


def _bring(container: Container, place: Path, known: Collection[Path]) -> int:
    try:
        pieces, _ = container.get_archive(place.as_posix())
    except docker.errors.NotFound:
        return 0
    except TROUBLE as error:
        raise ToolFailed(f"{place} can't be brought back from the runner: {error}") from error
    try:
        with tempfile.TemporaryFile() as spool:
            for piece in pieces:
                spool.write(piece)
            spool.seek(0)
            with tarfile.open(fileobj=spool) as archive:
                return sum(_write(archive, member, place, known) for member in archive)
    except (*TROUBLE, OSError, tarfile.TarError) as error:
        raise ToolFailed(f"{place} was not brought back whole from the runner: {error}") from error


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, known: Collection[Path]) -> bool:
    """Plain files and folders only, and none outside of ``place``."""
    parts = PurePosixPath(member.name).parts
    if not parts or parts[0] != place.name or ".." in parts:
        raise ToolFailed(f"{member.name} in the runner's archive is not of {place}")
    target = place.joinpath(*parts[1:])
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member) if member.isfile() else None
    if source is None or target in known:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while piece := source.read(2**20):
            file.write(piece)
    target.chmod(member.mode & 0o755 | 0o600)
    os.utime(target, (member.mtime, member.mtime))
    return True
