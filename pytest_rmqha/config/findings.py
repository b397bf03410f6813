"""What is said of a configuration file before anything starts, with file and line.

Help, not a verdict: ``haproxy -c`` accepted 26 of 27 files that break a stack. Only what a program itself refuses to start
with is an error; everything else is a warning, and promises alone colour the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_rmqha.config.folder import ConfigFile
from pytest_rmqha.errors import UserInputError

ERROR, WARNING, UNCHECKED = "error", "warning", "not checked"
MOST = 20


@dataclass(frozen=True)
class Finding:
    """``file`` as the user knows it, ``line`` from 1 or 0 for none; ``source``: who says so, a program or a document."""

    file: str
    line: int
    severity: str
    text: str
    source: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.text}" + (f" [{self.source}]" if self.source else "")


def about(file: ConfigFile, line: int, text: str, source: str, severity: str = WARNING) -> Finding:
    return Finding(str(file.origin), line, severity, text, source)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == ERROR]


def lines(findings: Sequence[Finding], most: int = MOST) -> list[str]:
    """Errors first, then what could not be checked; each once, with a bound."""
    order = (ERROR, UNCHECKED, WARNING)
    shown = [str(f) for f in sorted(dict.fromkeys(findings), key=lambda f: (order.index(f.severity), f.file, f.line))]
    return shown[:most] + ([f"and {len(shown) - most} more"] if len(shown) > most else [])


def refuse(findings: Sequence[Finding]) -> None:
    """UserInputError with all findings, if a program refuses its configuration."""
    if wrong := errors(findings):
        raise UserInputError(
            "configuration",
            f"{len(wrong)} {'error' if len(wrong) == 1 else 'errors'} before anything was started:\n  "
            + "\n  ".join(lines(findings, most=200))
            + "\n",
            "files that their own programs accept",
            "correct them; 'rmqha config check' repeats this alone",
        )
