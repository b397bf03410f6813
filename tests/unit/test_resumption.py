"""What a resumed run has settled, and that it must have been a run of the same thing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pytest_rmqha import resumption
from pytest_rmqha.config_digest import config_digest
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.resumption import differences, is_settled, resumed, with_its_seed
from pytest_rmqha.run_folder import folder_of, read_run
from pytest_rmqha.selection import declared_topology
from pytest_rmqha.setting_values import BadValue
from pytest_rmqha.settings import Settings, resolve
from tests.unit import manifests
from tests.unit.manifests import CODE, left_out, scenario

IMAGES = {"broker": "rmqha/broker:3.10-0123456789ab", "balancer": "mine/balancer:latest"}


def manifest(run: str, *scenarios: dict[str, Any], **more: Any) -> dict[str, Any]:
    return manifests.manifest(run, *scenarios, **{"images_asked": IMAGES, **more})


def settings(**options: str) -> Settings:
    return resolve(
        options_of(options), {}, lambda _knob: None, here=Path("/here"), beside_ini=Path("/ini"), draw=lambda: 9
    )


def options_of(options: dict[str, str]) -> Any:
    return lambda knob: options.get(knob.name)


@pytest.fixture(autouse=True)
def one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumption, "our_version", lambda: "0.1.0")


def test_passed_and_failed_are_settled_what_had_no_verdict_is_not() -> None:
    scenarios = [
        scenario("a"),
        scenario("b", "failed", ids=("N2",)),
        scenario("c", "undecided"),
        scenario("d", "harness"),
    ]
    found = resumed(manifest("one", *scenarios), settings(seed="5"), "abc", CODE, IMAGES)
    assert found.settled == {
        "a": "passed already in one",
        "b": "FAILED already in one: a verdict is never retried",
    }
    assert found.lines() == ["RED already in one, a verdict is never retried: N2"]


def test_what_that_run_had_resumed_itself_counts() -> None:
    said = [
        left_out("a", "passed already in zero"),
        left_out("b", "FAILED already in zero: a verdict is never retried"),
    ]
    others = [left_out("c", "profile gate has it not, nightly has"), left_out("d", "belongs to shard 2/3")]
    found = resumed(manifest("one", left_out=said + others), settings(seed="5"), "abc", CODE, IMAGES)
    assert found.settled == {one["nodeid"]: one["reason"] for one in said}
    assert found.red == {"b": ("N2",)}


def test_what_a_merge_says_has_failed_or_was_not_reached_no_pass_of_another_run_settles() -> None:
    said = left_out("a", "FAILED already in zero: a verdict is never retried")
    found = resumed(
        manifest("whole", scenario("a"), scenario("b"), left_out=[said], not_reached=["b"]),
        settings(seed="5"),
        "abc",
        CODE,
        IMAGES,
    )
    assert (found.settled, found.red) == ({"a": said["reason"]}, {"a": ("N2",)})
    assert found.owed == {"b"}


def test_a_reason_names_its_run() -> None:
    assert is_settled("passed already in one") == "one"
    assert is_settled("FAILED already in one: a verdict is never retried") == "one"
    assert is_settled("line 4.3 has no RAM nodes") is None


@pytest.mark.parametrize(
    ("options", "more", "said"),
    [
        ({"seed": "6"}, {}, "seed was 5, here 6"),
        ({"seed": "5", "version": "4.3"}, {}, "version was 3.10, here 4.3"),
        ({"seed": "5", "profile": "nightly"}, {}, "profile was gate, here nightly"),
        ({"seed": "5", "budget_scale": "2"}, {}, "budget_scale was 1.0, here 2.0"),
        ({"seed": "5"}, {"config_digest": "other"}, "the configuration files differ"),
        ({"seed": "5"}, {"config_digest": None}, "it noted no digest of its files"),
        ({"seed": "5"}, {"code_sha256": {**CODE, "suites/test_a.py": "4"}}, "the code differs: suites/test_a.py"),
        ({"seed": "5"}, {"code_sha256": {**CODE, "pytest-rmqha": "4"}}, "the code differs: pytest-rmqha"),
        ({"seed": "5"}, {"code_sha256": None}, "it noted no digest of its code"),
        ({"seed": "5"}, {"images_asked": None}, "it noted no images"),
        (
            {"seed": "5"},
            {"images_asked": {"broker": "rmqha/broker:3.10-ba9876543210"}},
            "the broker image was rmqha/broker:3.10-ba9876543210, here rmqha/broker:3.10-0123456789ab",
        ),
        ({"seed": "5"}, {"versions": {"pytest-rmqha": "0.2"}}, "pytest-rmqha was 0.2, here 0.1.0"),
    ],
)
def test_a_run_of_another_thing_is_refused(options: dict[str, str], more: dict[str, Any], said: str) -> None:
    assert differences(manifest("one"), settings(seed="5"), "abc", CODE, IMAGES) == []
    with pytest.raises(UserInputError, match=f"--rmq-resume: got one; .*{said}"):
        resumed(manifest("one", **more), settings(**options), "abc", CODE, IMAGES)


def test_a_seed_that_nobody_stated_is_that_of_the_run() -> None:
    drawn = with_its_seed(settings(), manifest("one"))
    assert (drawn.seed, drawn.sources["seed"]) == (5, "resumed from one")
    assert "seed 5 (resumed from one)" in drawn.header()[0]
    assert drawn.rerun_command([]).endswith("--rmq-seed=5")
    assert with_its_seed(settings(seed="6"), manifest("one")).seed == 6
    assert with_its_seed(settings(), None).seed == 9


def test_a_run_is_a_name_or_a_path(tmp_path: Path) -> None:
    assert read_run("", tmp_path) is None
    assert read_run("20250101-000000-ab12", tmp_path) == "20250101-000000-ab12"
    assert read_run("../x/run", tmp_path / "y") == str(tmp_path / "x" / "run")
    with pytest.raises(BadValue):
        read_run("two words", tmp_path)
    assert folder_of("run", tmp_path) == tmp_path / "run"
    assert folder_of("/x/run/manifest.json", tmp_path) == folder_of("/x/run", tmp_path) == Path("/x/run")


def test_the_digest_follows_the_files_that_members_read(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text("global\n")
    own = settings(config=str(tmp_path))
    shape = declared_topology(own, with_docker=False)

    digest = config_digest(own, shape)
    assert digest == config_digest(own, shape)
    assert digest != config_digest(settings(), shape)
    (tmp_path / "haproxy.cfg").write_text("global\n  daemon\n")
    assert digest != config_digest(own, shape)
    assert config_digest(dataclasses.replace(own, version="4.3"), shape) != config_digest(own, shape)
