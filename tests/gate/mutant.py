"""One change to the reference configuration, and what the gate must make of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.gate.edits import Edit, written

REFERENCE = Path(__file__).resolve().parents[2] / "compose" / "reference"

BRING_UP = ("G3",)
"""For what shows before anything is done: the cheapest scenario there is. It needs the stack to come up whole."""


@dataclass(frozen=True)
class Mutant:
    """``scenarios``: ids that bite it. ``because``: a pattern of the line that a red run must have, naming the measure.

    ``missed``: why no scenario of the gate sees it; empty if one does. A mutant that is expected to be missed is run all the
    same: the day it turns red the text is wrong.
    """

    id: str
    bad: str
    bites: str
    edits: tuple[Edit, ...]
    scenarios: tuple[str, ...]
    because: str
    missed: str = ""

    def write(self, folder: Path) -> Path:
        return written(REFERENCE, folder, self.edits)


@dataclass(frozen=True)
class Harmless:
    """A change after which every promise still holds. ``scenarios``: those that look at what was changed.

    ``untouched``: no change at all but the reference byte for byte, as a folder of somebody's own.
    """

    id: str
    what: str
    edits: tuple[Edit, ...]
    scenarios: tuple[str, ...]
    untouched: bool = False

    def write(self, folder: Path) -> Path:
        if self.untouched and not self.edits:
            return Path(shutil.copytree(REFERENCE, folder))
        return written(REFERENCE, folder, self.edits)
