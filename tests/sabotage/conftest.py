"""One inner run on a real stack: ordinary scenarios, each with a defect planted below the checkers, and its twin without."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import pytest

collect_ignore = ["planted"]
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Inner:
    """What the inner run said: exit code, output, test name -> (outcome, message)."""

    code: int
    output: str
    outcomes: dict[str, tuple[str, str]]


@pytest.fixture(scope="session")
def inner(tmp_path_factory: pytest.TempPathFactory) -> Inner:
    place = tmp_path_factory.mktemp("planted")
    command = [
        sys.executable, "-m", "pytest", str(HERE / "planted"), "--rmq-topology=3node", f"--rmq-reports={place}/reports",
        f"--junitxml={place}/junit.xml", "-p", "no:cacheprovider", "-q", "--tb=short", "--rmq-dump=never",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=1200)
    outcomes = {}
    for case in ElementTree.parse(place / "junit.xml").iter("testcase"):
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        said = (bad.get("message") or "") + "\n" + (bad.text or "") if bad is not None else ""
        outcomes[str(case.get("name"))] = ("passed" if bad is None else "red", said)
    return Inner(done.returncode, done.stdout + done.stderr, outcomes)
