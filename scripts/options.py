"""``python -m scripts.options``: writes docs/options.md from the table of settings. A test holds the file to the table."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_rmqha.budgets import BUDGETS
from pytest_rmqha.capabilities import CAPABILITIES
from pytest_rmqha.markers import MARKERS
from pytest_rmqha.settings import KNOBS, Knob

FILE = Path(__file__).resolve().parents[1] / "docs" / "options.md"

HEAD = """# Options

Made from the table in `pytest_rmqha/settings.py` by `python -m scripts.options`; change it there.

Each setting can be given in three places. The first that has it wins: the option on the command line, the environment
variable, the line in `pytest.ini` or `[tool.pytest.ini_options]`; else the default. An empty environment variable counts
as not given. A relative path counts from where pytest was started, in an ini file from beside that file. The header of a
run names every value that is not the default, and where it came from; a bad value ends the session with exit code 4
before anything starts.

A run pulls nothing: images are there, or it says so. Where they are pulled from is asked by `rmqha images` and `rmqha run`
(`--registry=PREFIX`, or the environment variable `RMQ_REGISTRY`).
"""

MARKS = """
## Markers

They mean something on a test with `rmq_scenario`; a marker on a module or class counts for each test in it.
"""

WORDS = """
`rmq_requires` knows: {capabilities}.

`rmq_slo` knows, in seconds:
"""


def row(knob: Knob) -> str:
    option = knob.option if knob.is_flag else f"{knob.option}={knob.metavar}"
    default = f"`{knob.default}`" if knob.default else "not set"
    cells = (f"`{option}`", f"`{knob.environment}`", f"`{knob.ini}`", default, knob.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def marker_row(name: str) -> str:
    usage, _, meaning = (MARKERS[name].__doc__ or "").splitlines()[0].partition("): ")
    return f"| `{usage})` | {meaning} |"


def page() -> str:
    """The whole of docs/options.md."""
    lines = [HEAD, "| option | environment | ini | default | what it is |", "|---|---|---|---|---|"]
    lines += [row(knob) for knob in KNOBS]
    lines += [MARKS, "| marker | what it says |", "|---|---|"]
    lines += [marker_row(name) for name in MARKERS]
    lines += [WORDS.format(capabilities=", ".join(f"`{name}`" for name in CAPABILITIES))]
    lines += ["| budget | what it bounds |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in BUDGETS.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    FILE.write_text(page(), encoding="utf-8")
    print(f"options: {FILE} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
