"""Holds the directions of docs/architecture.md: its list of layers is read, not repeated.

A module that the list doesn't name belongs to the last layer, so nothing below may import it. The load client is a
world of its own.

Imports are found by parsing, so those inside functions and under TYPE_CHECKING count too.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pytest_rmqha"
LAYERS_IN_THE_DOC = re.compile(r"^## Layers.*?\n(.*?)^## ", re.MULTILINE | re.DOTALL)
ONE_LAYER = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)

OUTSIDE_WORLD = {"docker", "testcontainers", "pika", "toxiproxy", "requests", "urllib", "urllib3", "http", "allure"}
PYTEST = {"pytest", "_pytest", "pluggy"}
STRANGERS = ("faults", "workload", "checkers")


def layers(text: str) -> dict[str, int]:
    """Module or folder, as ``checkers/verdict``, -> its layer."""
    section = LAYERS_IN_THE_DOC.search(text)
    assert section, "docs/architecture.md has no section ## Layers"
    found: dict[str, int] = {}
    for number, body in ONE_LAYER.findall(section[1]):
        for name in re.findall(r"`([\w/]+)`", body.split("—")[0]):
            found.setdefault(name.rstrip("/"), int(number))
    return found


LAYERS = layers((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
LAST = max(LAYERS.values())
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] != "data" or path.name == "data.py"
)


def layer_of(module: str) -> int:
    """The layer of the most specific name that the document has; the package itself is below all."""
    if module == "__init__":
        return 0
    parts = module.removesuffix("/__init__").split("/")
    return next((LAYERS[name] for n in range(len(parts), 0, -1) if (name := "/".join(parts[:n])) in LAYERS), LAST)


def imported(module: str) -> Iterator[str]:
    """Every module that one imports, dotted; of ``from a.b import c`` both a.b and a.b.c."""
    path = PACKAGE / f"{module}.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                inside = ("pytest_rmqha", *module.split("/")[:-1])
                base = ".".join((*inside[: len(inside) - node.level + 1], *filter(None, [base])))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_imports(module: str) -> set[str]:
    """Our own modules that one imports, as paths; a name that is no module is left out."""
    ours = (name for name in imported(module) if name.startswith("pytest_rmqha."))
    found = {name.removeprefix("pytest_rmqha.").replace(".", "/") for name in ours}
    return {name for name in found if name in MODULES or f"{name}/__init__" in MODULES}


def foreign_imports(module: str) -> set[str]:
    return {name.split(".")[0] for name in imported(module)}


def test_the_document_names_layers() -> None:
    assert LAYERS["errors"] == 1
    assert LAYERS["checkers/verdict"] == 2
    assert LAYERS["faults"] == 3
    assert LAYERS["adapters"] == LAST - 1
    assert LAYERS["plugin"] == LAST
    assert layer_of("checkers/delivery") == 3


def test_a_module_without_a_layer_is_of_the_last() -> None:
    assert layer_of("a_new_module") == LAST


def test_every_layer_is_of_something_there_is() -> None:
    gone = [name for name in LAYERS if not (PACKAGE / name).is_dir() and name not in MODULES]
    assert not gone, f"docs/architecture.md names what is not there: {', '.join(gone)}"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_up_the_list(module: str) -> None:
    own = layer_of(module)
    wrong = [f"{name} (layer {layer_of(name)})" for name in sorted(own_imports(module)) if layer_of(name) > own]
    assert not wrong, f"{module} (layer {own}) imports {', '.join(wrong)}"


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith(("adapters/", "client/"))])
def test_only_adapters_meet_the_outside_world(module: str) -> None:
    assert not foreign_imports(module) & OUTSIDE_WORLD


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("client/")])
def test_the_client_imports_itself_and_pika_alone(module: str) -> None:
    assert not foreign_imports(module) & (OUTSIDE_WORLD - {"pika"})
    assert all(name.startswith("client") for name in own_imports(module))


@pytest.mark.parametrize("module", [m for m in MODULES if layer_of(m) < LAST])
def test_only_the_last_layer_imports_pytest(module: str) -> None:
    assert not foreign_imports(module) & PYTEST


@pytest.mark.parametrize("module", [m for m in MODULES if m.split("/")[0] in STRANGERS])
def test_faults_workload_and_checkers_never_import_one_another(module: str) -> None:
    family = module.split("/")[0]
    met = {name for name in own_imports(module) if name.split("/")[0] in STRANGERS and name.split("/")[0] != family}
    shared = {"workload", "workload/history"} if family == "checkers" else set[str]()
    assert not met - shared


def test_building_blocks_are_standard_library_only() -> None:
    for module in (m for m in MODULES if layer_of(m) == 1):
        third_party = foreign_imports(module) - sys.stdlib_module_names - {"pytest_rmqha"}
        assert not third_party, module
