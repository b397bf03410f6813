"""Readers: the text of one setting -> its value. A bad value raises ``BadValue`` with what is allowed and what to do.

Relative paths count from ``base``: where pytest was started for options and environment, beside the ini file for ini.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from pathlib import Path

from pytest_rmqha import data
from pytest_rmqha.config.folder import configuration_in, unread
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.places import BALANCER_TARGETS, BROKER_TARGETS

Reader = Callable[[str, Path], object]

CONFIG_FILES = (*BROKER_TARGETS, *BALANCER_TARGETS)


class BadValue(Exception):
    """``allowed`` and ``remedy`` complete the sentence that begins with the setting and the value."""

    def __init__(self, allowed: str, remedy: str) -> None:
        super().__init__(allowed, remedy)
        self.allowed, self.remedy = allowed, remedy


def near(text: str, known: Collection[str], otherwise: str) -> str:
    close = difflib.get_close_matches(text, known, n=1, cutoff=0.6)
    return f"write {close[0]}" if close else otherwise


def one_of(*choices: str) -> Reader:
    def read(text: str, _base: Path) -> str:
        if text not in choices:
            raise BadValue("one of " + ", ".join(choices), near(text, choices, f"use one of these, e.g. {choices[0]}"))
        return text

    return read


def flag(text: str, _base: Path) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise BadValue("1 or 0 (true, yes, on or false, no, off)", "use 1 or 0")


def whole_number(text: str, _base: Path) -> int:
    if not re.fullmatch(r"\d{1,18}", text):
        raise BadValue("a whole number from 0 on", "copy the seed that the run to repeat has printed")
    return int(text)


def factor(text: str, _base: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100:
        raise BadValue("a number above 0, up to 100", "use 1 for the budgets as they are, 2 on a machine half as fast")
    return value


def minutes(text: str, _base: Path) -> float | None:
    try:
        value = float(text or "1")
    except ValueError:
        value = 0.0
    if not 0 < value <= 10080:
        raise BadValue("a number of minutes above 0, up to 10080 (a week)", "write it as 90, or leave it out for none")
    return value if text else None


def topology(text: str, base: Path) -> str:
    """A shipped name stays a name; a path comes back absolute."""
    known = data.topologies()
    if text in known:
        return text
    allowed = f"{', '.join(known)}, or the path of a compose file"
    if "/" in text or text.endswith((".yaml", ".yml")):
        file = base / Path(text).expanduser()
        if not file.is_file():
            raise BadValue(allowed, f"there is no file {file}")
        return str(file.resolve())
    raise BadValue(allowed, near(text, known, f"name one of these, or write a path as ./{text}.yaml"))


def image(text: str, _base: Path) -> str | None:
    if text and not re.fullmatch(r"[a-z0-9][\w.:/-]*(@sha256:[0-9a-f]{64})?", text):
        raise BadValue("an image reference such as rabbitmq:3.13-management", "check for blanks and capital letters")
    return text or None


def registry(text: str, _base: Path) -> str | None:
    if text and ("://" in text or not re.fullmatch(r"[a-z0-9][\w.:/-]*", text)):
        raise BadValue("a registry prefix such as registry.example.org/mirror", "leave out https:// and blanks")
    return text.rstrip("/") or None


def run_name(text: str, _base: Path) -> str | None:
    if text and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", text):
        raise BadValue("the name of a kept run (small letters, digits, dashes)", "copy it from the run that was kept")
    return text or None


def folder(text: str, base: Path) -> Path:
    """A folder to write to; it may not exist yet."""
    place = (base / Path(text).expanduser()).resolve()
    if place.exists() and not place.is_dir():
        raise BadValue("a folder", f"{place} is a file: name another place")
    return place


def configuration(text: str, base: Path) -> Path | None:
    """A readable folder with at least one file that a member reads, and none that nobody would read."""
    if not text:
        return None
    place = (base / Path(text).expanduser()).resolve()
    allowed = (
        f"a readable folder with {', '.join(CONFIG_FILES)}, scripts (*.sh) or what these name by absolute path, "
        "at its top or in a folder per member"
    )
    if not place.is_dir():
        raise BadValue(allowed, f"{place} is {'a file' if place.exists() else 'not there'}: name the folder")
    try:
        found, lost = configuration_in(place), unread(place)
    except OSError as error:
        raise BadValue(allowed, f"make it readable: {error.filename}: {error.strerror}") from None
    except UserInputError as error:
        raise BadValue(allowed, f"{error.remedy}: {error.got}") from None
    if not any(file.name in CONFIG_FILES or file.suffix == ".sh" for file in found):
        raise BadValue(allowed, f"{place} holds none of them: name the folder that does")
    if lost:
        name = lost[0].name
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise BadValue(
            allowed,
            f"nothing reads {lost[0].relative_to(place)}{more}, so it would go untested: "
            + near(
                name, CONFIG_FILES, "rename it, name it by its absolute path in a file that is read, or move it out"
            ),
        )
    return place
