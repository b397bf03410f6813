"""Which play a test asks for and which faults a play injects, read from their code: nothing is run.

``observe(play)`` is decided when a test runs, so no mark says it. But a play is a module-level function of the stage, and
a test that observes it names it: it is found among the names that the test's code object refers to, those of its nested
functions, of the helpers beside it that it calls, and among its parameters. Limit: a play that is looked up by text
(``getattr``, a registry) is not seen; such a test counts as a play of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from pytest_rmqha.markers import MARKS

OURS = "pytest_rmqha"
Asked = tuple[FunctionType | str, str | None]


@dataclass(frozen=True)
class Play:
    """Tests that share one fault, in the order in which they run.

    ``name``: the play's own, or the node id of a test that plays by itself. ``faults``: names and what each does.
    """

    name: str
    items: tuple[pytest.Item, ...]
    faults: tuple[tuple[str, str], ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for item in self.items for name in item.stash[MARKS].ids))

    @property
    def nodeids(self) -> tuple[str, ...]:
        return tuple(item.nodeid for item in self.items)

    @property
    def profile(self) -> str:
        """The profile of its first test: what it costs when nobody has measured it."""
        return self.items[0].stash[MARKS].profile


def plays_of(items: Sequence[pytest.Item]) -> list[Play]:
    """Every item in exactly one play, plays in the order of their first item.

    A test that observes two plays ties them together: they are one ``Play``, named after the first. A play is run once for
    each variant.
    """
    groups: list[tuple[list[pytest.Item], dict[Asked, None]]] = []
    for item in items:
        variant = item.stash[MARKS].variant
        asked: dict[Asked, None] = dict.fromkeys((play, variant) for play in (asked_by(item) or (item.nodeid,)))
        mine: list[pytest.Item] = []
        for group in [group for group in groups if group[1].keys() & asked.keys()]:
            groups.remove(group)
            mine, asked = mine + group[0], {**group[1], **asked}
        groups.append(([*mine, item], asked))
    place = {item: number for number, item in enumerate(items)}
    found = [_play(sorted(group, key=place.__getitem__), tuple(asked)) for group, asked in groups]
    return sorted(found, key=lambda play: place[play.items[0]])


def _play(items: list[pytest.Item], asked: tuple[Asked, ...]) -> Play:
    plays = [(play, variant) for play, variant in asked if isinstance(play, FunctionType)]
    sources = [play for play, _ in plays] or [function for item in items if (function := _function(item)) is not None]
    faults = dict.fromkeys(fault for source in sources for fault in faults_of(source))
    name = items[0].nodeid
    if plays:
        first, variant = plays[0]
        name = f"{first.__name__} [{variant}]" if variant else first.__name__
    return Play(name, tuple(items), tuple((fault.__name__, _first_line(fault)) for fault in faults))


def asked_by(item: pytest.Item) -> list[FunctionType]:
    """The plays that a test may observe, in the order in which its code names them; none when it plays by itself."""
    function = _function(item)
    if function is None:
        return []
    given = getattr(getattr(item, "callspec", None), "params", {}).values()
    named = [*_reached(function), *(value for value in given if isinstance(value, FunctionType))]
    return list(dict.fromkeys(play for play in named if is_play(play)))


def faults_of(function: FunctionType) -> list[FunctionType]:
    """Functions that make a ``Fault``, named by a play or by what it calls outside the package: ours, and a suite's own."""
    return [found for found in _reached(function) if _makes_a_fault(found)]


def injects(function: FunctionType) -> bool:
    """Whether its code, or what it calls outside the package, names the injector at all."""
    reached = [function, *(found for found in _reached(function) if not _inside(found))]
    return any("inject" in code.co_names for found in reached for code in _codes(found.__code__))


def is_play(function: FunctionType) -> bool:
    """A function of one argument, the stage: called so, or annotated so."""
    if _inside(function):
        return False
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(needed) != 1 or function.__name__.startswith(("test", "_")):
        return False
    annotation = needed[0].annotation
    said = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return needed[0].name == "stage" or said.rpartition(".")[2] == "Stage"


def _function(item: pytest.Item) -> FunctionType | None:
    found = inspect.unwrap(getattr(item, "function", None) or (lambda: None))
    return found if isinstance(found, FunctionType) and isinstance(item, pytest.Function) else None


def _reached(start: FunctionType) -> list[FunctionType]:
    """Functions that ``start`` names, and those that its helpers name; a play's own code is a play's business."""
    found: dict[FunctionType, None] = {}
    waiting = [start]
    seen = {start}
    while waiting:
        for function in _named(waiting.pop(0)):
            found.setdefault(function)
            if function not in seen and not _inside(function) and not is_play(function):
                seen.add(function)
                waiting.append(function)
    return list(found)


def _named(function: FunctionType) -> Iterator[FunctionType]:
    """Plain functions behind the names in a function's code; ``module.name`` is followed one step."""
    names = list(dict.fromkeys(name for code in _codes(function.__code__) for name in code.co_names))
    known: dict[str, Any] = {**function.__globals__, **_closed_over(function)}
    values = [known[name] for name in [*names, *function.__code__.co_freevars] if name in known]
    modules = [value for value in values if isinstance(value, ModuleType)]
    values += [vars(module)[name] for module in modules for name in names if name in vars(module)]
    for value in values:
        plain = inspect.unwrap(value) if callable(value) else value
        if isinstance(plain, FunctionType):
            yield plain


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _closed_over(function: FunctionType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    return found


def _inside(function: Callable[..., object]) -> bool:
    return function.__module__ == OURS or function.__module__.startswith(OURS + ".")


def _makes_a_fault(function: FunctionType) -> bool:
    made = function.__annotations__.get("return")
    said = made if isinstance(made, str) else getattr(made, "__name__", "")
    return said.rpartition(".")[2] == "Fault" and not (_inside(function) and function.__name__.startswith("_"))


def _first_line(function: FunctionType) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]
