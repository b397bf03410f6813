"""Which tests of ``suites/`` answer an id, so that one mutant can be run with what bites it and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

SUITES = Path(__file__).resolve().parents[2] / "suites"


def answered_by(suites: Path = SUITES) -> Mapping[str, tuple[str, ...]]:
    """id -> names of the test functions whose own ``rmq_scenario`` mark names it, read from the files without importing."""
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted(suites.glob("test_*.py")):
        for function in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(function, ast.FunctionDef):
                continue
            for name in _ids(function):
                found[name] = (*found.get(name, ()), function.name)
    return found


def _ids(function: ast.FunctionDef) -> Iterable[str]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("rmq_scenario"):
            yield from (a.value for a in mark.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def expression(ids: Iterable[str], known: Mapping[str, tuple[str, ...]]) -> str:
    """For ``pytest -k``: every test that answers one of the ids; KeyError for an id that no test answers."""
    names = dict.fromkeys(name for one in ids for name in known[one])
    return " or ".join(names)
