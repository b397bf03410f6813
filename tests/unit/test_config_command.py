"""``rmqha config``: what is exported can be brought back, and a check's exit code says what was found."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import yaml

from pytest_rmqha import cli, data
from pytest_rmqha.adapters.preflight import preflight, read
from pytest_rmqha.adapters.preflight_script import ESCRIPT, script, sections
from pytest_rmqha.commands import config
from pytest_rmqha.config.findings import ERROR, UNCHECKED, WARNING, Finding
from pytest_rmqha.config.folder import ConfigFile, check_folder, unread
from pytest_rmqha.topology import Topology
from pytest_rmqha.topology_reader import from_compose


def three_nodes() -> Topology:
    return from_compose(yaml.safe_load(data.topology_file("3node").read_text()), "3node")


def test_the_export_is_a_configuration_that_is_read_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new"
    assert cli.main(["config", "export", str(target)]) == 0
    names = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert {"rabbitmq.conf", "haproxy.cfg", "topology.json", "lb1/keepalived.conf", "lb2/keepalived.conf"} <= names
    assert "keepalived.conf" not in names
    assert (target / "check_haproxy.sh").stat().st_mode & 0o111
    assert (target / "haproxy.cfg").read_bytes() == (data.compose_folder() / "reference/haproxy.cfg").read_bytes()
    check_folder(target, three_nodes())
    assert unread(target) == []
    assert "next: rmqha config check" in capsys.readouterr().out


def test_the_export_of_a_line_is_that_lines(tmp_path: Path) -> None:
    assert cli.main(["config", "export", str(tmp_path), "--version", "4.3"]) == 0
    assert (tmp_path / "rabbitmq.conf").read_bytes() == (data.compose_folder() / "lines/4.3/rabbitmq.conf").read_bytes()


def test_an_export_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "haproxy.cfg").write_text("mine")
    assert cli.main(["config", "export", str(tmp_path)]) == 2
    assert "a new or an empty folder" in capsys.readouterr().err
    assert (tmp_path / "haproxy.cfg").read_text() == "mine"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """The findings that the engine is going to have."""
    found: list[Finding] = []

    def compose(file: Path, _environment: object) -> Any:
        return yaml.safe_load(file.read_text())

    def looked(*_: object) -> list[Finding]:
        return found

    monkeypatch.setattr(config, "read_config", compose)
    monkeypatch.setattr("pytest_rmqha.adapters.images.present", lambda specs: {spec.role: spec.tag for spec in specs})
    monkeypatch.setattr(config, "preflight", looked)
    return found


@pytest.mark.parametrize(
    ("severities", "code", "last"),
    [
        ([], 0, "0 errors, 0 warnings, 0 not checked"),
        ([WARNING], 0, "0 errors, 1 warning, 0 not checked"),
        ([WARNING, UNCHECKED], 2, "0 errors, 1 warning, 1 not checked"),
        ([ERROR, UNCHECKED], 1, "1 error, 0 warnings, 1 not checked"),
    ],
)
def test_the_exit_code_of_a_check(
    tmp_path: Path,
    engine: list[Finding],
    capsys: pytest.CaptureFixture[str],
    severities: list[str],
    code: int,
    last: str,
) -> None:
    (tmp_path / "haproxy.cfg").write_text("global\n")
    engine += [Finding("haproxy.cfg", number, severity, "text") for number, severity in enumerate(severities, 1)]

    assert cli.main(["config", "check", str(tmp_path)]) == code
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"configuration {tmp_path}: haproxy.cfg yours; ")
    assert (len(out), out[-1]) == (2 + len(severities), last)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "DIR: got nowhere; *is not there"),
        (["."], "DIR: got .; "),
        ([".", "--topology", "3nodes"], "--topology: got 3nodes"),
        ([".", "--version", "3.9"], "--version: got 3.9"),
        (["own"], "got rmq9; expected a member of topology 3node"),
    ],
)
def test_a_check_refuses_in_its_own_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: list[Finding],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "own/rmq9").mkdir(parents=True)
    (tmp_path / "own/rmq9/rabbitmq.conf").touch()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["config", "check", *arguments]) == 2
    assert message.split("*")[0] in capsys.readouterr().err


def conf(name: str, folder: str, text: str = "") -> ConfigFile:
    return ConfigFile(name, Path("/mine") / name, f"{folder}/{name}", f"{text}\n".encode(), 0o644)


class FakeContainer:
    def __init__(self, said: str) -> None:
        self.said, self.done, self.archive = said, list[str](), b""

    def put_archive(self, _at: str, archive: bytes) -> bool:
        self.archive = archive
        return True

    def start(self) -> None:
        self.done.append("start")

    def wait(self, timeout: float) -> None:
        self.done.append("wait")

    def logs(self) -> bytes:
        return self.said.encode()

    def remove(self, force: bool, v: bool) -> None:
        self.done.append("remove")


class FakeDocker:
    def __init__(self, *said: str) -> None:
        self.said, self.made, self.asked, self.containers = (
            list(said),
            list[FakeContainer](),
            list[dict[str, Any]](),
            self,
        )

    def create(self, image: str, **asked: Any) -> FakeContainer:
        if not self.said:
            raise docker.errors.DockerException("no engine")
        self.asked.append({"image": image, **asked})
        self.made.append(FakeContainer(self.said.pop(0)))
        return self.made[-1]


def ended(*parts: tuple[str, int, str]) -> str:
    return "".join(f"@@rmqha begin {name}\n{said}\n@@rmqha end {name} {code}\n" for name, code, said in parts)


BROKER_FINE = ended(("paths", 0, ""), ("scripts", 0, ""), ("broker", 0, ""))
BALANCER_FINE = ended(
    ("paths", 0, ""),
    ("scripts", 0, ""),
    ("files", 0, "1048576"),
    ("version", 0, "Keepalived v2.2.7"),
    ("haproxy", 0, ""),
    ("keepalived", 0, ""),
)
FILES = {
    "rmq1": [conf("rabbitmq.conf", "/etc/rabbitmq")],
    "rmq2": [conf("rabbitmq.conf", "/etc/rabbitmq")],
    "rmq3": [conf("rabbitmq.conf", "/etc/rabbitmq")],
    "lb1": [conf("keepalived.conf", "/etc/keepalived", "a")],
    "lb2": [conf("keepalived.conf", "/etc/keepalived", "b")],
}
IMAGES = {"broker": "b:1", "balancer": "l:1"}


def test_members_with_the_same_files_are_looked_at_once() -> None:
    engine = FakeDocker(BROKER_FINE, BALANCER_FINE, BALANCER_FINE)
    assert preflight(three_nodes(), IMAGES, FILES, {"rmqha.run": "r"}, "3.10", engine) == []
    assert [asked["image"] for asked in engine.asked] == ["b:1", "l:1", "l:1"]
    for asked, made in zip(engine.asked, engine.made, strict=True):
        assert asked["network_mode"] == "none"
        assert asked["labels"] == {"rmqha.run": "r", "rmqha.role": "preflight"}
        assert made.done == ["start", "wait", "remove"]
    with tarfile.open(fileobj=io.BytesIO(engine.made[1].archive)) as archive:
        assert {"etc/keepalived/keepalived.conf", "etc/keepalived/auth_pass.conf", "etc/default/haproxy"} <= set(
            archive.getnames()
        )


def test_a_balancer_is_looked_at_with_its_own_limit_of_open_files() -> None:
    engine, shape = FakeDocker(BROKER_FINE, BALANCER_FINE, BALANCER_FINE), three_nodes()
    first, second = shape.balancers
    shape = replace(shape, balancers=(first, replace(second, nofile=(1024, 4096))))
    files = {**FILES, "lb2": FILES["lb1"]}
    assert preflight(shape, IMAGES, files, {}, "3.10", engine) == []
    assert [asked["ulimits"] for asked in engine.asked] == [[], [], [{"Name": "nofile", "Soft": 1024, "Hard": 4096}]]


def test_an_engine_that_fails_is_said_and_is_no_clean_bill() -> None:
    found = preflight(three_nodes(), IMAGES, FILES, {}, "3.10", FakeDocker(BROKER_FINE, BALANCER_FINE))
    assert [(f.file, f.severity) for f in found] == [("lb2", UNCHECKED)]


@pytest.mark.parametrize(
    "output",
    [
        "",
        ended(("paths", 0, ""), ("scripts", 0, "")),
        ended(("paths", 0, ""), ("scripts", 0, "")) + "@@rmqha begin broker\nloading\n",
        ended(("paths", 0, ""), ("scripts", 0, ""), ("broker", 127, "sh: escript: not found")),
        ended(("paths", 0, ""), ("scripts", 0, ""), ("broker", 1, "escript: exception error")),
    ],
)
def test_a_check_that_did_not_end_is_no_clean_bill(output: str) -> None:
    assert UNCHECKED in {f.severity for f in read("broker", "rmq1", output, FILES["rmq1"])}


def test_findings_name_the_file_that_the_user_has() -> None:
    row = "@@rmqha\terror\t/etc/rabbitmq/rabbitmq.conf\t4\tno\n"
    found = read("broker", "rmq1", ended(("paths", 0, ""), ("scripts", 0, ""), ("broker", 0, row)), FILES["rmq1"])
    assert [str(f) for f in found] == ["/mine/rabbitmq.conf:4: error: no [the broker's own check]"]


def test_sections_of_an_output() -> None:
    assert sections("noise\n" + ended(("a", 3, "said"))) == {"a": (3, "said\n")}


def test_the_script_asks_for_every_named_path_and_quotes_it() -> None:
    text = script("balancer", [conf("keepalived.conf", "/etc/keepalived", 'script "/usr/local/bin/a@b.sh"')])
    assert "for at in /usr/local/bin/a@b.sh; do" in text
    assert "escript" in script("broker", [])
    assert ESCRIPT.startswith("#!")
