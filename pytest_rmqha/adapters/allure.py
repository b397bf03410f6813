"""The allure report, where ``--alluredir`` asks for one; everything here does nothing without it. Main thread only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import allure

KINDS = {".svg": allure.attachment_type.SVG, ".json": allure.attachment_type.JSON, ".txt": allure.attachment_type.TEXT}
CATEGORIES = (
    {"name": "Product: the stack broke a promise", "matchedStatuses": ["failed"]},
    {
        "name": "Infrastructure: the stack or a tool was not there",
        "matchedStatuses": ["broken"],
        "messageRegex": r"(?s).*(StackNotUp|ToolFailed|NoAnswer).*",
    },
    {
        "name": "Harness: no verdict",
        "matchedStatuses": ["broken"],
        "messageRegex": r"(?s).*(NoVerdict|NoProgress|FaultNotInjected|NotHealed|BudgetSpent).*",
    },
    {"name": "Other errors of ours", "matchedStatuses": ["broken"]},
)


def step(act: str, title: str) -> AbstractContextManager[Any]:
    """A step of the report around an act of the injector."""
    return allure.step(f"{act}: {title}")


def attach_file(path: Path, name: str) -> None:
    allure.attach.file(str(path), name=name, attachment_type=KINDS.get(path.suffix, allure.attachment_type.TEXT))


def attach_text(text: str, name: str) -> None:
    allure.attach(text, name=name, attachment_type=allure.attachment_type.TEXT)


def label(*, ids: Sequence[str], chapter: str, titles: Mapping[str, str], kind: str) -> None:
    """Epic, feature (chapter), a story for each id, severity (a promise is critical, a demonstration normal) and tags."""
    allure.dynamic.epic("RabbitMQ high availability")
    allure.dynamic.feature(chapter)
    for name in ids:
        allure.dynamic.story(f"{name} {titles.get(name, '')}".strip())
        allure.dynamic.tag(name)
    allure.dynamic.tag(kind)
    severity = allure.severity_level.CRITICAL if kind == "promise" else allure.severity_level.NORMAL
    allure.dynamic.severity(severity)


def write_run_files(folder: str | None, facts: Mapping[str, str]) -> None:
    """environment.properties and categories.json beside the results."""
    if not folder:
        return
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "environment.properties").write_text("".join(f"{k}={v}\n" for k, v in facts.items()))
    (place / "categories.json").write_text(json.dumps(CATEGORIES, indent=1))
