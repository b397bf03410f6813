"""What a manifest says of the machine and of the images, whatever of it can be had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from pytest_rmqha.adapters import versions
from pytest_rmqha.errors import ToolFailed, UserInputError


def container(service: str, tag: str) -> Any:
    return SimpleNamespace(
        name=f"rmqha-x-{service}-1", labels={"com.docker.compose.service": service}, attrs={"Config": {"Image": tag}}
    )


def engine(**client: Any) -> Any:
    return SimpleNamespace(run="x", client=SimpleNamespace(**client))


def refused(*_: Any, **__: Any) -> Any:
    raise docker.errors.DockerException("nobody answers")


def test_each_member_has_the_tag_that_it_was_made_from() -> None:
    made = [container("rmq1", "rmqha/broker:3.10-0123456789ab"), container("lb1", "mine:latest")]
    asked = engine(containers=SimpleNamespace(list=lambda **_: made))
    assert versions.image_tags(asked) == {"rmq1": "rmqha/broker:3.10-0123456789ab", "lb1": "mine:latest"}


def test_tags_that_cannot_be_had_are_said() -> None:
    with pytest.raises(ToolFailed, match="run x can't be listed: nobody answers"):
        versions.image_tags(engine(containers=SimpleNamespace(list=refused)))


def test_the_machine_is_told_as_far_as_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "require_compose", lambda: "2.5.0")
    assert versions.of_the_machine(engine(version=lambda: {"Version": "20.10.24"})) == {
        "engine": "20.10.24",
        "compose": "2.5.0",
    }

    def none() -> str:
        raise UserInputError("compose plug-in", "none", "one", "install it")

    monkeypatch.setattr(versions, "require_compose", none)
    assert versions.of_the_machine(engine(version=refused)) == {}
