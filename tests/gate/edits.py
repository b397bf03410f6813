"""Changes to a configuration folder as values: each finds its place or raises EditFailed, so that no mutant changes nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class EditFailed(Exception):
    """The reference is no longer what the change was written for."""


class Edit(Protocol):
    """``file`` is relative to the folder; ``apply`` changes that one file in place."""

    @property
    def file(self) -> str: ...
    def apply(self, folder: Path) -> None: ...


@dataclass(frozen=True)
class Replaced:
    """``old`` stands exactly ``times`` times in the file and becomes ``new`` each time."""

    file: str
    old: str
    new: str
    times: int = 1

    def apply(self, folder: Path) -> None:
        place = folder / self.file
        if not place.is_file():
            raise EditFailed(f"{self.file}: there is no such file in {folder}")
        text = place.read_text(encoding="utf-8")
        if self.old == self.new or text.count(self.old) != self.times:
            found = "old and new are the same" if self.old == self.new else f"found {text.count(self.old)} times"
            raise EditFailed(f"{self.file}: {self.old!r} was to be replaced {self.times} times: {found}")
        place.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Mode:
    """The file gets another mode (octal); it must have had a different one."""

    file: str
    mode: int

    def apply(self, folder: Path) -> None:
        place = folder / self.file
        if not place.is_file() or place.stat().st_mode & 0o777 == self.mode:
            raise EditFailed(f"{self.file}: is not there, or has mode {self.mode:o} already")
        place.chmod(self.mode)


@dataclass(frozen=True)
class Added:
    """A file that the folder has not."""

    file: str
    text: str

    def apply(self, folder: Path) -> None:
        place = folder / self.file
        if place.exists():
            raise EditFailed(f"{self.file}: is there already")
        place.parent.mkdir(exist_ok=True)
        place.write_text(self.text, encoding="utf-8")


@dataclass(frozen=True)
class OwnCopy:
    """A member gets a copy of everybody's file, for edits that concern this member alone."""

    member: str
    name: str

    @property
    def file(self) -> str:
        return f"{self.member}/{self.name}"

    def apply(self, folder: Path) -> None:
        source, place = folder / self.name, folder / self.member / self.name
        if not source.is_file() or place.exists():
            raise EditFailed(f"{self.file}: {self.name} is not there to be copied, or the member has one already")
        place.parent.mkdir(exist_ok=True)
        shutil.copy2(source, place)


def written(reference: Path, folder: Path, edits: tuple[Edit, ...]) -> Path:
    """A copy of the reference folder at ``folder`` (which must not exist) with the edits made, in order."""
    if not edits:
        raise EditFailed("a change without an edit is the reference itself")
    shutil.copytree(reference, folder)
    for edit in edits:
        edit.apply(folder)
    return folder
