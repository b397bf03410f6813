"""*Your own stack in five minutes*, as the README has it: each command as it stands there, the last one as a plan."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text()
    block = re.search(r"## Your own stack in five minutes\n+```\n(.*?)```", text, re.DOTALL)
    assert block is not None, "the README has no such block any more"
    return [line.split("#")[0].strip() for line in block[1].splitlines()]


def test_the_five_minutes_of_the_readme(tmp_path: Path) -> None:
    make, export, edit, check, run = commands()
    assert make == "make images environment" and edit.startswith("$EDITOR my-stack/")

    for command in (export, check, f"{run} --rmq-plan"):
        program, *arguments = shlex.split(command)
        mine = [argument.replace("my-stack", str(tmp_path / "my-stack")) for argument in arguments]
        done = subprocess.run(
            [str(Path(sys.executable).parent / Path(program).name), *mine],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    edited = tmp_path / "my-stack" / edit.removeprefix("$EDITOR my-stack/")
    assert edited.is_file(), f"{edit}: the export has no such file"
    assert "plan" in done.stdout and "haproxy.cfg" in done.stdout
