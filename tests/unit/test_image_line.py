"""An image that says which RabbitMQ it holds is judged as that line or refused."""

from __future__ import annotations

import pytest

from pytest_rmqha.adapters.images import refuse_another_line
from pytest_rmqha.errors import UserInputError
from pytest_rmqha.images.spec import line_for


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("3.8.9", "3.8"),
        ("3.9.29", "3.8"),
        ("3.10.8", "3.10"),
        ("3.13.7", "3.10"),
        ("4.0.5", "4.0"),
        ("4.2.8", "4.0"),
        ("4.3.2", "4.3"),
        ("5.0.0-rc.1", "4.3"),
        ("3.7.28", None),
        ("main", None),
        ("", None),
    ],
)
def test_a_version_is_judged_as_the_newest_line_that_is_not_newer(version: str, line: str | None) -> None:
    assert line_for(version) == line


@pytest.mark.parametrize(("version", "line"), [("3.13.7", "3.10"), ("", "3.10"), ("4.2.8", "4.0")])
def test_a_fitting_image_and_one_that_says_nothing_are_taken(version: str, line: str) -> None:
    refuse_another_line("rabbitmq:x", version, line)


def test_another_lines_image_is_refused_with_the_option_that_fits() -> None:
    with pytest.raises(
        UserInputError,
        match=r"RabbitMQ line: got 3\.10, but rabbitmq:4\.2-management holds 4\.2\.8; .*add --rmq-version=4\.0\.",
    ):
        refuse_another_line("rabbitmq:4.2-management", "4.2.8", "3.10")


def test_an_image_older_than_every_line_is_refused() -> None:
    with pytest.raises(UserInputError, match=r"there is none.*take an image of one of the lines 3\.8, 3\.10"):
        refuse_another_line("rabbitmq:3.7", "3.7.28", "3.10")
