"""The sums over the code of tests and plays: what is looked at, and when two runs are of the same code."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import ModuleType

import pytest

from pytest_rmqha import code_digest as digests
from pytest_rmqha import plugin
from pytest_rmqha.code_digest import changed, code_digest, told


def loaded(file: Path, text: str = "") -> ModuleType:
    """A module as it is when it was imported from that file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    module = ModuleType(file.stem)
    module.__file__ = str(file)
    return module


def test_every_file_beside_one_that_was_imported_counts(tmp_path: Path) -> None:
    modules = [loaded(tmp_path / "suites" / "test_a.py"), loaded(tmp_path / "suites" / "plays" / "kill.py")]
    (tmp_path / "suites" / "plays" / "lazy.py").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "script.py").write_text("")

    assert sorted(code_digest(modules, tmp_path)) == [
        "pytest-rmqha",
        "suites/plays/kill.py",
        "suites/plays/lazy.py",
        "suites/test_a.py",
    ]


def test_tests_beside_the_root_are_named_as_their_node_ids_are(tmp_path: Path) -> None:
    found = code_digest([loaded(tmp_path / "tests" / "test_a.py")], tmp_path / "ini")
    assert "../tests/test_a.py" in found


def test_what_is_installed_or_of_python_or_gone_is_not_looked_at(tmp_path: Path) -> None:
    gone = loaded(tmp_path / "gone.py")
    (tmp_path / "gone.py").unlink()
    built_in = ModuleType("sys")
    modules = [json, pytest, plugin, gone, built_in, object(), loaded(tmp_path / "site-packages" / "x" / "x.py")]

    assert list(code_digest(modules, tmp_path)) == ["pytest-rmqha"]


def test_an_edited_play_is_named_and_so_is_our_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [loaded(tmp_path / "suites" / "test_a.py"), loaded(tmp_path / "suites" / "plays" / "kill.py")]
    package = tmp_path / "package"
    loaded(package / "faults" / "node.py")
    monkeypatch.setattr(digests, "_package", lambda: package)
    was = code_digest(modules, tmp_path)
    assert changed(was, code_digest(modules, tmp_path)) == []

    (tmp_path / "suites" / "plays" / "kill.py").write_text("pass\n")
    (package / "faults" / "node.py").write_text("pass\n")

    assert changed(was, code_digest(modules, tmp_path)) == ["pytest-rmqha", "suites/plays/kill.py"]


def test_it_takes_no_time(tmp_path: Path) -> None:
    began = time.process_time()
    code_digest([], tmp_path)
    assert time.process_time() - began < 1, "some 10 ms on a machine that does nothing else"


@pytest.mark.parametrize(
    ("was", "here", "names"),
    [
        ({"a/t.py": "1"}, {"a/t.py": "1", "b/t.py": "2"}, []),
        ({"a/t.py": "1"}, {"a/t.py": "1", "a/new.py": "2"}, []),
        ({"a/t.py": "1"}, {"a/t.py": "1", "a/conftest.py": "2"}, ["a/conftest.py"]),
        ({"a/t.py": "1", "a/conftest.py": "2"}, {"a/t.py": "1"}, ["a/conftest.py"]),
        ({"a/t.py": "1"}, {"a/t.py": "1", "b/conftest.py": "2"}, []),
    ],
    ids=["more-paths", "a-file-more", "a-conftest-more", "a-conftest-less", "more-paths-with-a-conftest"],
)
def test_only_what_both_know_is_compared_but_for_a_conftest(
    was: dict[str, str], here: dict[str, str], names: list[str]
) -> None:
    assert changed(was, here) == names


def test_many_names_are_told_as_a_few() -> None:
    assert told(["a", "b"]) == "a, b"
    assert told(list("abcdefg")) == "a, b, c, d, e and 2 more"
