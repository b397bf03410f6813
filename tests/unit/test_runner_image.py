"""The runner's image holds what is installed here, as sources only; and the plugin finds itself in it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images import runner
from pytest_rmqha.images.runner import own_description, packages, runner_spec, site
from pytest_rmqha.images.spec import wanted


def test_the_name_is_a_digest_of_all_that_goes_in() -> None:
    spec = runner_spec()

    assert spec.tag.startswith("rmqha/runner:py3.13-")
    assert (spec.suite, spec.base) == ("trixie", "debian:trixie-slim")
    assert {"Dockerfile", "site/pytest/__init__.py", "site/docker/__init__.py", "site/certifi/cacert.pem"} <= set(
        spec.context
    )


def test_no_compiled_part_and_no_program_goes_in() -> None:
    assert not [name for name in runner_spec().context if name.endswith((".so", ".pyc")) or ".." in name]


def test_what_the_plugin_needs_is_there_and_what_checks_its_code_is_not() -> None:
    names = {package.name.lower() for package in packages()}

    assert {"pytest", "docker", "pika", "testcontainers", "toxiproxy-python", "allure-pytest", "urllib3"} <= names
    assert not names & {"pytest-rmqha", "ruff", "mypy"}


def test_without_compiled_parts_everything_imports_and_the_load_clients_image_keeps_its_name(tmp_path: Path) -> None:
    for name, content in {**runner_spec().context, **own_description("own")}.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    program = (
        "import importlib.metadata as m, pytest_rmqha.plugin, pytest_rmqha.adapters.stack\n"
        "from pytest_rmqha.images.spec import wanted\n"
        "print([e.value for e in m.entry_points(group='pytest11') if e.name == 'rmqha'], *(w.tag for w in wanted('3.10', {})))"
    )
    root = Path(runner.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": f"{root}:{tmp_path}/own:{tmp_path}/site", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["['pytest_rmqha.plugin']", *(spec.tag for spec in wanted("3.10", {}))]


def test_a_package_that_is_missing_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(runner, "distribution", nothing)
    with pytest.raises(UserInputError, match="python package: got allure-pytest, which is not installed"):
        packages()


def test_a_package_without_a_list_of_its_files_is_an_error_not_an_empty_image(tmp_path: Path) -> None:
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.1\nName: bare\nVersion: 1\n")
    with pytest.raises(UserInputError, match="bare, which is installed without a list of its files"):
        site([PathDistribution(tmp_path)])


def test_markers_are_read_as_the_runner_would() -> None:
    found: dict[str, Distribution] = {}
    runner._add(Requirement("no-such-package; sys_platform == 'win32'"), found)
    runner._add(Requirement("no-such-package; python_version < '3.13'"), found)
    assert found == {}
