"""The code of docs/writing-a-*.md: each block with a file name is written to that file, and collected or run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pytest_rmqha.checkers.meaning import GLOSSARY
from pytest_rmqha.faults import Fault
from pytest_rmqha.topology_reader import from_compose
from tests.plugin.conftest import CONFTEST, installed

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# ([\w./-]+\.\w+)\n")
SCENARIO, FAULT = "writing-a-scenario.md", "writing-a-fault.md"
Blocks = dict[str, str]


def blocks(page: str) -> Blocks:
    """file name -> code; a Python or YAML block that names no file fails, since nobody would try it."""
    found: Blocks = {}
    for language, code in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        name = NAMED.match(code)
        if language in ("python", "yaml"):
            assert name, f"{page}: a block of {language} begins with no file name: {code[:60]!r}"
            found[name[1]] = code
    return found


@pytest.fixture
def written(pytester: pytest.Pytester, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Blocks:
    """Both pages' files in the current folder, and a plugin ``declared`` that declares a topology instead of docker."""
    monkeypatch.setenv("PYTHONPATH", f"{pytester.path}:{request.config.rootpath}")
    files = {**blocks(SCENARIO), **blocks(FAULT)}
    for name, code in {**files, "declared.py": CONFTEST}.items():
        (pytester.path / name).parent.mkdir(parents=True, exist_ok=True)
        (pytester.path / name).write_text(code, encoding="utf-8")
    return files


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plugin = [] if installed() else ["-p", "pytest_rmqha.plugin"]
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *plugin, "-p", "declared", *arguments)


def test_every_scenario_of_the_page_is_collected_and_planned(written: Blocks, pytester: pytest.Pytester) -> None:
    result = run(pytester, "--rmq-plan", "--rmq-profile=nightly", "--strict-markers")

    assert result.ret == pytest.ExitCode.OK
    said = result.stdout.str()
    assert "left out" not in said
    for name in re.findall(r'Scenario\("(X\d+)"', written["conftest.py"]):
        assert re.search(rf"\b{name}\b", said), f"{name} is not in the plan:\n{said}"


def test_two_ids_of_one_play_are_planned_together(written: Blocks, pytester: pytest.Pytester) -> None:
    said = run(pytester, "--rmq-plan").stdout.str()
    assert re.search(r"the_holders_host_is_killed.*X2,? X3|X2,? X3.*the_holders_host_is_killed", said), said


def test_the_variant_and_the_demonstration_are_left_out_of_somebodys_own_stack(
    written: Blocks, pytester: pytest.Pytester
) -> None:
    own = ("--rmq-topology=stack/compose.yaml", "--rmq-plan", "--rmq-profile=nightly")
    assert re.search(r"left out.*X4", run(pytester, *own).stdout.str())


def test_the_tests_of_the_complete_fault_pass(written: Blocks, pytester: pytest.Pytester) -> None:
    tests = written["test_disk.py"].count("\ndef test_")
    run(pytester, "test_disk.py").assert_outcomes(passed=tests)
    assert tests == 5


def test_the_fields_of_a_fault_are_those_of_the_page() -> None:
    page = (DOCS / FAULT).read_text(encoding="utf-8")
    fields = {name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert fields == set(Fault.__dataclass_fields__)


def test_the_compose_file_of_the_page_is_a_topology() -> None:
    topology = from_compose(yaml.safe_load(blocks(SCENARIO)["stack/compose.yaml"]), "stack")
    assert [b.hostname for b in topology.brokers] == ["rabbit-1", "rabbit-2", "rabbit-3"]
    assert [b.hostname for b in topology.balancers] == ["lb-1", "lb-2"]
    assert topology.vip == "198.19.9.100"


@pytest.mark.parametrize("page", [SCENARIO, FAULT, "options.md", "glossary.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", (DOCS / page).read_text(encoding="utf-8")):
        assert target.startswith("https://") or (DOCS / target).is_file(), f"{page} links to {target}"


def test_the_glossary_has_the_words_of_the_reports() -> None:
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
    missing = [word for word, meaning in GLOSSARY.items() if f"| {word} | {meaning} |\n" not in page]
    assert not missing, f"docs/glossary.md says something else of: {', '.join(missing)}"


def test_a_word_of_the_glossary_is_there_once_and_takes_one_line() -> None:
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for word, _ in rows if word != "word"]
    assert len(words) > 60
    assert sorted(set(words)) == sorted(words)
