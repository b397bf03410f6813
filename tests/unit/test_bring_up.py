"""What a bring-up refuses before anything is asked of the stack, and whom its files belong to."""

from __future__ import annotations

import pytest

from pytest_rmqha.adapters.bring_up import ids_of, refuse_without_statistics
from pytest_rmqha.errors import UserInputError


def test_brokers_that_report_statistics_are_taken() -> None:
    refuse_without_statistics({"rmq1": {"disable_stats": False}, "rmq2": {}}, "rmqha/broker:3.10")


def test_a_broker_without_statistics_is_named_with_its_image_and_the_two_ways_out() -> None:
    with pytest.raises(UserInputError) as told:
        refuse_without_statistics(
            {"rmq1": {"disable_stats": False}, "rmq2": {"disable_stats": True}, "rmq3": {"disable_stats": True}},
            "rabbitmq:3.13",
        )

    said = str(told.value)
    assert said.startswith(
        "statistics of the management API: got switched off on rmq2, rmq3 (image rabbitmq:3.13); expected brokers"
    )
    assert "take the -management variant" in said
    assert "{disable_metrics_collector, false}" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("passwd", "ids"),
    [
        ("root:x:0:0:root:/root:/bin/bash\nrabbitmq:x:999:999::/var/lib/rabbitmq:/bin/sh\n", (999, 999)),
        ("rabbitmq:x:100:101:Linux User,,,:/var/lib/rabbitmq:/sbin/nologin", (100, 101)),
        ("rabbitmq2:x:7:7::/:/bin/sh\n\nrabbitmq:x::", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_the_cookie_belongs_to_the_images_own_user(passwd: str, ids: tuple[int, int]) -> None:
    assert ids_of("rabbitmq", passwd) == ids
