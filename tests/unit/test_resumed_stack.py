"""A run is resumed on a stack that is made of the same: what its images hold, not what they are called."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha import data, ingredients, resuming
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.resuming import EARLIER, refuse_another_stack
from pytest_rmqha.session_report import RUN, Run
from pytest_rmqha.settings import resolve
from pytest_rmqha.topology import Topology
from tests.unit.manifests import manifest

THREE = Topology("three", (), (), None, "10.0.0.0/24", "10.0.0.1", "stack")
TAGS = {"rmq1": "rmqha/broker:3.10-0123456789ab", "lb1": "mine:latest"}
IDS = {"rmq1": "sha256:a", "lb1": "sha256:c"}
STACK = {"rabbitmq": "3.10.8", "haproxy": "2.6.12", "run": "one", "engine": "20"}
STOOD = {"images": IDS, "image_tags": TAGS, "stack": STACK, "made_of": {"compose": "d1"}}


def session(earlier: dict[str, Any] | None, **facts: Any) -> Any:
    stash = pytest.Stash()
    stash[EARLIER] = earlier
    stash[RUN] = Run("two", Path("two"), 0.0, "", {"config_digest": "abc", **STOOD, **facts})
    return SimpleNamespace(stash=stash)


def refused(config: Any) -> str:
    with pytest.raises(
        UserInputError, match="--rmq-resume: got one; expected a run whose stack had the same"
    ) as caught:
        refuse_another_stack(config)
    assert config.stash[RUN].facts.keys().isdisjoint(STOOD), "nothing was judged on this stack"
    return str(caught.value)


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ({"images": {**IDS, "lb1": "sha256:d"}}, "the image id of lb1 was sha256:c, here sha256:d"),
        ({"image_tags": {**TAGS, "lb1": "other"}}, "the image of lb1 was mine:latest, here other"),
        ({"stack": {**STACK, "haproxy": "3.0"}}, "haproxy was 2.6.12, here 3.0"),
        ({"made_of": {"compose": "d2"}}, "the compose file with what it includes was d1, here d2"),
    ],
)
def test_a_stack_of_other_images_or_programs_is_refused(here: dict[str, Any], said: str) -> None:
    assert said in refused(session(manifest("one", **STOOD), **here))


def test_a_stack_of_the_same_is_taken() -> None:
    """Our own image was built again, and run and engine are not what a verdict rests on."""
    config = session(
        manifest("one", **STOOD), images={**IDS, "rmq1": "sha256:b"}, stack={**STACK, "run": "two", "engine": "21"}
    )
    refuse_another_stack(config)
    assert config.stash[RUN].facts["images"]["rmq1"] == "sha256:b"


def test_without_an_earlier_run_or_a_stack_of_it_nothing_is_compared() -> None:
    refuse_another_stack(session(None))
    refuse_another_stack(session(manifest("one")))


@pytest.mark.parametrize("own", [{}, STOOD, {"images": {**IDS, "lb1": "sha256:d"}, "image_tags": TAGS}])
def test_what_verdicts_rest_on_goes_through_a_chain_of_runs(own: dict[str, Any]) -> None:
    """The second was refused, or ended before its stack stood: what it took over was seen on the first one's stack."""
    first = ingredients.taken_over(manifest("zero", **STOOD))
    second = manifest("one", settled_on=first, **own)
    assert ingredients.taken_over(second) == first
    assert "the image id of lb1 was sha256:c, here sha256:e" in refused(
        session(second, images={**IDS, "lb1": "sha256:e"})
    )
    assert "was sha256:c, here sha256:d" in refused(session(second, images={**IDS, "lb1": "sha256:d"}))


def test_what_an_image_is_built_from_is_known_before_anything_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def option(knob: Any) -> str | None:
        return "mine/rabbit:1" if knob.name == "image" else None

    settings = resolve(option, {}, lambda _: None, here=tmp_path, beside_ini=tmp_path, draw=lambda: 9)
    before = ingredients.asked(settings, THREE)
    assert before["broker"] == "mine/rabbit:1"
    stated = dataclasses.replace(THREE, images=(("broker", "their/rabbit:2"), ("balancer", "their/lb:2")))
    assert ingredients.asked(settings, stated) == before | {"balancer": "their/lb:2"}
    shutil.copytree(data.compose_folder() / "images", tmp_path / "images")
    monkeypatch.setattr(data, "compose_folder", lambda: tmp_path)
    assert ingredients.asked(settings, THREE) == before
    with next((tmp_path / "images" / "balancer").glob("start-*")).open("a") as script:
        script.write("# later\n")
    changed = {role for role, tag in ingredients.asked(settings, THREE).items() if tag != before[role]}
    assert changed == {"balancer"}


def test_who_resumes_and_has_no_scenario_is_refused() -> None:
    assert not resuming.is_asked(session(None))
    with pytest.raises(UserInputError, match="--rmq-resume: got one, and no scenario is chosen; "):
        resuming.refuse_nothing(session(manifest("one")))
