"""What goes into a runner and what comes back: the project, what is named, and the same paths in both places."""

from __future__ import annotations

from pathlib import Path

import pytest

import pytest_rmqha
from pytest_rmqha import data, ini_file, parcel
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.parcel import pack


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an ini file, tests, a topology with what it reads, and much that stays here."""
    for name, text in {
        "pytest.ini": "[pytest]\nrmq_config = ../elsewhere\naddopts = --rmq-reports=out\n",
        "tests/test_a.py": "",
        "tests/__pycache__/test_a.pyc": "",
        "env/pyvenv.cfg": "",
        "env/lib.py": "",
        ".git/config": "",
        "out/r1/manifest.json": "{}",
        "out/r1/timeline.jsonl": "",
    }.items():
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name, text in {"rabbitmq.conf": "", "node1/rabbitmq.conf": ""}.items():
        file = tmp_path / "elsewhere" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "project"


def inside(found: parcel.Parcel, folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in found.files if folder in path.parents}


def test_the_project_goes_in_without_what_is_hidden_generated_or_written(project: Path) -> None:
    assert inside(pack(["tests"], {}, project), project) == {"pytest.ini", "tests/test_a.py", "out/r1/manifest.json"}


def test_the_ini_files_folder_is_the_project_wherever_pytest_starts(project: Path) -> None:
    found = pack(["."], {}, project / "tests")

    assert {"pytest.ini", "tests/test_a.py"} <= inside(found, project)
    assert found.start == project / "tests"


def test_what_the_ini_file_names_goes_in_and_what_its_addopts_name_comes_back(project: Path) -> None:
    found = pack(["tests"], {}, project)

    assert inside(found, project.parent / "elsewhere") == {"rabbitmq.conf", "node1/rabbitmq.conf"}
    assert found.reports == project / "out"
    assert found.outputs == (project / "out",)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--rmq-config=../mine"], {}),
        (["--rmq-config", "../mine"], {}),
        (["x/../../mine/haproxy.cfg"], {}),
        ([], {"RMQ_CONFIG": "../mine"}),
        ([], {"PYTEST_ADDOPTS": "--rmq-config=../mine"}),
    ],
)
def test_what_is_named_elsewhere_goes_in(project: Path, arguments: list[str], environment: dict[str, str]) -> None:
    mine = project.parent / "mine/haproxy.cfg"
    mine.parent.mkdir()
    mine.touch()

    assert mine in pack(arguments, environment, project).files


def test_a_linked_folder_of_a_configuration_goes_in_and_a_link_to_nothing_is_told(project: Path) -> None:
    elsewhere = project.parent / "elsewhere"
    (elsewhere / "node1").rename(project.parent / "real")
    (elsewhere / "node1").symlink_to(project.parent / "real")
    assert inside(pack(["tests"], {}, project), elsewhere) == {"rabbitmq.conf", "node1/rabbitmq.conf"}

    (elsewhere / "node1" / "advanced.config").symlink_to("/nowhere")
    with pytest.raises(UserInputError, match=r"node1/advanced\.config; expected a readable file"):
        pack(["tests"], {}, project)


def test_a_tests_id_names_its_file(project: Path) -> None:
    other = project.parent / "test_other.py"
    other.touch()

    assert other in pack([f"{other}::test_it[a/b]"], {}, project).files


def test_a_topology_brings_what_compose_reads_with_it_and_the_variables_in_it(project: Path) -> None:
    far = project.parent / "far"
    far.mkdir()
    (far / "stack.yaml").write_text("services: {a: {extends: {file: base.yaml, service: a}, image: '${IMAGE:-x}'}}")
    for name in ("base.yaml", ".env", "other.yaml"):
        (far / name).touch()

    found = pack([f"--rmq-topology={far}/stack.yaml"], {"IMAGE": "i", "SECRET": "s", "RMQ_SEED": "1"}, project)

    assert inside(found, far) == {"stack.yaml", "base.yaml", ".env"}
    assert found.environment == {"IMAGE": "i", "RMQ_SEED": "1"}


def test_a_runner_is_not_told_that_it_is_another_one(project: Path) -> None:
    assert pack([], {"RMQHA_RUNNER": "x", "RMQHA_RUNNER_OWNER": "y"}, project).environment == {}


def test_what_pytest_writes_comes_back_each_once_and_does_not_go_in(project: Path) -> None:
    (project / "junit.xml").touch()
    found = pack(
        ["--junitxml=junit.xml", "--alluredir", "out/allure", "--html=../far/r.html", "--rmq-reports=out"], {}, project
    )

    assert found.outputs == (project / "out", project / "junit.xml", project.parent / "far/r.html")
    assert project / "junit.xml" not in found.files


def test_the_package_and_all_that_is_shipped_goes_in(project: Path) -> None:
    files = pack([], {}, project).files

    assert Path(pytest_rmqha.__file__) in files
    assert data.topology_file("3node") in files
    assert data.suites_folder() / "conftest.py" in files


def test_a_whole_home_is_nobodys_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me").mkdir()
    (tmp_path / "me/letter.txt").touch()

    assert inside(pack([], {}, tmp_path / "me"), tmp_path) == set()


def test_more_than_a_project_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "MOST_FILES", 3)

    with pytest.raises(UserInputError, match=r"what the run needs: got more than 64 MiB or 3 files"):
        pack([], {}, project)


@pytest.mark.parametrize(
    ("name", "text", "values", "addopts"),
    [
        ("pytest.ini", "[pytest]\nrmq_seed = 1\n", {"rmq_seed": "1"}, ()),
        ("pytest.ini", "", {}, ()),
        ("tox.ini", "[pytest]\naddopts = -x 'a b'\n", {"addopts": "-x 'a b'"}, ("-x", "a b")),
        ("setup.cfg", "[tool:pytest]\nrmq_seed = 1\n", {"rmq_seed": "1"}, ()),
        ("pyproject.toml", '[tool.pytest.ini_options]\nrmq_seed = "1"\naddopts = ["-x"]\n', {"rmq_seed": "1"}, ("-x",)),
        ("pyproject.toml", '[tool.pytest]\nrmq_seed = "1"\n', {"rmq_seed": "1"}, ()),
        ("pytest.toml", '[pytest]\nrmq_seed = "1"\n', {"rmq_seed": "1"}, ()),
    ],
)
def test_every_kind_of_ini_file_is_read(
    tmp_path: Path, name: str, text: str, values: dict[str, str], addopts: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "below").mkdir()

    found = ini_file.find(tmp_path / "below")

    assert (found.path, found.values, found.addopts) == (tmp_path / name, values, addopts)


@pytest.mark.parametrize(
    ("name", "text"), [("tox.ini", "[tox]\n"), ("pyproject.toml", "[project]\n"), ("pyproject.toml", "= broken")]
)
def test_a_file_that_says_nothing_of_pytest_is_none_of_its_ini_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert ini_file.read(tmp_path / name).path is None
