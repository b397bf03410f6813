"""One inner run on a real stack: ordinary scenarios, each with a defect planted below the checkers, and its twin without."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sabotage.ending import ended

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
    done = ended(command, cwd=HERE.parents[1], output=place / "output.txt", within=1200)
    if done.gave_up:
        pytest.fail(f"the inner run {done.gave_up}; its last words:\n{done.output[-3000:]}", pytrace=False)
    if not (place / "junit.xml").is_file():
        pytest.fail(f"the inner run ended with {done.code} and wrote no results:\n{done.output[-3000:]}", pytrace=False)
    outcomes = {}
    for case in ElementTree.parse(place / "junit.xml").iter("testcase"):
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        said = (bad.get("message") or "") + "\n" + (bad.text or "") if bad is not None else ""
        outcomes[str(case.get("name"))] = ("passed" if bad is None else "red", said)
    return Inner(done.code, done.output, outcomes)
