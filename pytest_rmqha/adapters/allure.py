"""The allure report, where ``--alluredir`` asks for one; without it everything here does nothing.

Main thread only: allure keeps its current test for each thread, so what another thread reports would be lost or land in
the wrong test. From there nothing is recorded.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import allure

from pytest_rmqha.errors import HarnessError, NoVerdict, StackNotUp, ToolFailed

EPIC = "RabbitMQ HA"
KINDS = {
    ".svg": allure.attachment_type.SVG,
    ".json": allure.attachment_type.JSON,
    ".txt": allure.attachment_type.TEXT,
    ".csv": allure.attachment_type.CSV,
    ".html": allure.attachment_type.HTML,
}
STEPS = {"inject": "inject “{}” and see it in effect", "heal": "heal “{}” and see it gone"}


def step(act: str, title: str) -> AbstractContextManager[Any]:
    """A step of the report around one act of the injector and its wait: ``Chaos(on_step=step)``."""
    if not _in_main_thread():
        return contextlib.nullcontext()
    made: AbstractContextManager[Any] = allure.step(STEPS.get(act, act + ": {}").format(title))
    return made


def attach_file(path: Path, name: str) -> None:
    """A copy of the file; its suffix says what it is, text if it's another one."""
    if _in_main_thread():
        allure.attach.file(str(path), name=name, attachment_type=KINDS.get(path.suffix, allure.attachment_type.TEXT))


def attach_text(text: str, name: str) -> None:
    _attach(text, name, allure.attachment_type.TEXT)


def attach_json(value: object, name: str) -> None:
    """What JSON doesn't know is written as its ``str()``."""
    _attach(json.dumps(value, indent=2, default=str, ensure_ascii=False), name, allure.attachment_type.JSON)


def attach_svg(svg: str, name: str) -> None:
    """An image in the report; scripts in it are not run."""
    _attach(svg, name, allure.attachment_type.SVG)


def label(*, ids: Sequence[str], chapter: str, titles: Mapping[str, str], kind: str) -> None:
    """Epic, feature (chapter), a story for each id, severity (a promise is critical, a demonstration normal) and tags."""
    if not _in_main_thread():
        return
    allure.dynamic.epic(EPIC)
    allure.dynamic.feature(chapter)
    for name in ids:
        allure.dynamic.story(f"{name} {titles.get(name, '')}".strip())
    allure.dynamic.tag(*ids, kind)
    severity = allure.severity_level.CRITICAL if kind == "promise" else allure.severity_level.NORMAL
    allure.dynamic.severity(severity)


def categories() -> list[dict[str, Any]]:
    """Whose fault a red test is, first match first; the last but one holds every other error of ours that we know.

    Read by Allure 2 and, through ``scripts/allurerc.mjs``, by Allure 3. The expressions mean the same to Java, which
    matches the whole message, and to JavaScript, which searches; neither may need a flag (``(?s)`` is none for the
    latter). The name stands at the start of the message: a note about another error at its end does not count.
    """
    return [
        {"name": "Product: the stack under test is not safe", "matchedStatuses": ["failed"]},
        _broken("Infrastructure: the stack or a tool was not there", StackNotUp, ToolFailed),
        _broken("Harness: undecided, no evidence either way", NoVerdict),
        _broken("Harness: we could not do our work", HarnessError),
        {"name": "Harness: an unexpected error", "matchedStatuses": ["broken"]},
    ]


def write_categories(folder: str | None) -> None:
    """``categories.json`` beside the results. Call it before anything can fail; without a folder it does nothing."""
    if folder:
        _write(folder, "categories.json", json.dumps(categories(), indent=2) + "\n")


def write_environment(folder: str | None, facts: Mapping[str, object]) -> None:
    """``environment.properties`` beside the results: what ran where. Without a folder it does nothing."""
    if folder:
        lines = (f"{_key(name)}={_value(fact)}\n" for name, fact in facts.items())
        _write(folder, "environment.properties", "".join(lines))


def write_performance(folder: str | None, name: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Metrics of one scenario beside the results; Allure 3 reads every ``*-perf.json``."""
    if folder and rows:
        file = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
        _write(folder, f"{file}-perf.json", json.dumps(list(rows), indent=2) + "\n")


def replay(landed: Sequence[str], play: str) -> None:
    """The steps of a play that an earlier test of the session has run: this test asserts on the same observation."""
    if _in_main_thread():
        for title in landed:
            with allure.step(f"seen once for all tests of {play}: “{title}” in effect, healed and gone"):
                pass


def write_run_files(folder: str | None, facts: Mapping[str, object]) -> None:
    """Both files of a run."""
    write_categories(folder)
    write_environment(folder, facts)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _attach(body: str, name: str, kind: object) -> None:
    if _in_main_thread():
        allure.attach(body, name=name, attachment_type=kind)


def _broken(name: str, *errors: type[Exception]) -> dict[str, Any]:
    names = "|".join(sorted({cls.__name__ for error in errors for cls in _family(error)}))
    return {"name": name, "matchedStatuses": ["broken"], "messageRegex": rf"^(?:\w+\.)*(?:{names})\b[\s\S]*"}


def _family(error: type[Exception]) -> set[type[Exception]]:
    """The class and whatever is loaded that derives from it."""
    return {error}.union(*(_family(child) for child in error.__subclasses__()))


def _key(name: str) -> str:
    """Neither ``=``, ``:`` nor blanks: they would end a key."""
    return "_".join(str(name).replace("=", " ").replace(":", " ").split())


def _value(fact: object) -> str:
    """One line; a backslash would escape what follows it."""
    return " ".join(str(fact).replace("\\", "\\\\").split())


def _write(folder: str, name: str, text: str) -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text, encoding="utf-8")
