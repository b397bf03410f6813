"""One line of the table: what was measured, what it may be, and what it was compared with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

AT_MOST, AT_LEAST = "at most", "at least"


@dataclass(frozen=True)
class Row:
    """``measured`` is held to ``target`` in the same ``unit``; ``detail`` is what it was made of, name -> number."""

    what: str
    measured: float
    unit: str
    bound: str
    target: float
    detail: Mapping[str, object]

    @property
    def kept(self) -> bool:
        return self.measured <= self.target if self.bound == AT_MOST else self.measured >= self.target

    @property
    def ratio(self) -> float:
        """Measured by target: below 1 is good where the bound is "at most", above 1 where it is "at least"."""
        return self.measured / self.target


def table(rows: Sequence[Row]) -> str:
    """Fixed-width text, a line a row, the details below it."""
    head = ("what", "measured", "target", "ratio", "")
    lines = [head]
    for row in rows:
        measured, target = (f"{value:.4g} {row.unit}".strip() for value in (row.measured, row.target))
        lines.append(
            (row.what, measured, f"{row.bound} {target}", f"{row.ratio:.2f}", "kept" if row.kept else "MISSED")
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    shown = []
    for number, line in enumerate(lines):
        shown.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if number and rows[number - 1].detail:
            shown.append("    " + ", ".join(f"{name} {value}" for name, value in rows[number - 1].detail.items()))
    return "\n".join(shown)


def write(file: Path, rows: Sequence[Row], facts: Mapping[str, object]) -> None:
    """The rows as JSON, with the machine that they are true of."""
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    found = [{**asdict(row), "ratio": round(row.ratio, 3), "kept": row.kept} for row in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"machine": machine, **facts, "rows": found}, indent=1, default=str) + "\n")
