"""What a restart keeps: the objects that are declared beside a load, and the single mode's table of them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_rmqha.checkers.verdict import Outcome
from pytest_rmqha.errors import NoVerdict, ToolFailed
from tests.gate.scenarios import SUITES
from tests.unit.fakes import Answer, World


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SUITES))
    return importlib.import_module


class Told:
    """A node whose API answers by path."""

    def __init__(self, paths: Mapping[str, Any]) -> None:
        self.api = SimpleNamespace(get=lambda path: paths[path], queues=lambda vhost: paths[f"queues/{vhost}"])


def test_every_exchange_is_bound_to_every_queue(suite: Any) -> None:
    world = World()
    suite("plays.both_kinds").declare_both_kinds(world.cluster)

    wrote = [what for what in world.apis[0].wrote if what[0] == "binding"]
    assert [(source, queue) for _, _, source, queue, _ in wrote] == [
        ("durable.exchange", "durable.queue"),
        ("durable.exchange", "fleeting.queue"),
        ("fleeting.exchange", "durable.queue"),
        ("fleeting.exchange", "fleeting.queue"),
    ]
    assert {q["name"]: q["durable"] for q in world.apis[0].queues("/")} == {
        "durable.queue": True,
        "fleeting.queue": False,
    }


def test_a_line_that_refuses_fleeting_queues_is_not_asked_for_one(suite: Any) -> None:
    world = World()
    suite("plays.both_kinds").declare_both_kinds(world.cluster, fleeting_queue=False)

    assert [q["name"] for q in world.apis[0].queues("/")] == ["durable.queue"]


def test_objects_are_named_and_bindings_by_their_ends(suite: Any) -> None:
    kinds = suite("plays.both_kinds")
    node = Told(
        {
            "queues/v": [{"name": "durable.queue"}, {"name": "loaded"}],
            "exchanges/v": [{"name": ""}, {"name": "amq.direct"}, {"name": "durable.exchange"}],
            "bindings/v": [
                {"source": "", "destination": "durable.queue"},
                {"source": "durable.exchange", "destination": "durable.queue"},
            ],
        }
    )

    assert kinds.objects_of(node, "v") == kinds.KEPT


@pytest.mark.parametrize(("version", "takes"), [("3.8.9", True), ("3.10.8", True), ("4.0.5", True), ("4.3.6", False)])
def test_fleeting_queues_are_refused_from_4_3_on(suite: Any, version: str, takes: bool) -> None:
    assert suite("plays.single_mode").takes_a_fleeting_queue(Told({"overview": {"rabbitmq_version": version}})) is takes


def seen_of(suite: Any, **changes: Any) -> Any:
    kept = suite("plays.both_kinds").KEPT
    arrived = {
        "persistent.durable": (100, 100),
        "transient.durable": (40, 0),
        "persistent.fleeting": (100, 0),
        "persistent.quorum": (100, 100),
        "transient.quorum": (40, 40),
        "loaded": (500, 500),
    }
    before = kept | {f"fleeting.{n}" for n in range(5)}
    durable = frozenset({"durable.queue", "quorum.parked", "loaded"})
    states = dict.fromkeys(durable, "running")
    return replace(suite("plays.single_mode").Seen(None, arrived, before, kept, True, durable, states), **changes)


HELD, BROKEN = Outcome.HELD, Outcome.BROKEN


def outcomes(suite: Any, seen: Any) -> list[Outcome]:
    return [verdict.outcome for verdict in suite("test_4_single_mode").what_it_keeps(seen)]


def test_the_table_of_the_single_mode_holds(suite: Any) -> None:
    assert outcomes(suite, seen_of(suite)) == [HELD, HELD, HELD]


def test_without_fleeting_queues_the_rest_of_the_table_holds(suite: Any) -> None:
    seen = seen_of(suite)
    without = {stream: counts for stream, counts in seen.arrived.items() if stream != "persistent.fleeting"}
    before = frozenset({*seen.objects_after, "fleeting.exchange", "fleeting.exchange→durable.queue"})
    seen = replace(seen, arrived=without, objects_before=before, fleeting_queue=False)

    assert outcomes(suite, seen) == [HELD, HELD, HELD]


def test_an_object_too_few_or_too_many_is_broken(suite: Any) -> None:
    kept = suite("plays.both_kinds").KEPT

    assert outcomes(suite, seen_of(suite, objects_after=kept - {"durable.queue"})) == [BROKEN, HELD, HELD]
    assert outcomes(suite, seen_of(suite, objects_after=kept | {"fleeting.queue"})) == [BROKEN, HELD, HELD]


@pytest.mark.parametrize(
    ("stream", "counts"),
    [("persistent.durable", (100, 99)), ("transient.durable", (40, 1)), ("transient.quorum", (40, 0))],
)
def test_a_message_too_few_or_too_many_is_broken(suite: Any, stream: str, counts: tuple[int, int]) -> None:
    seen = seen_of(suite)

    assert outcomes(suite, replace(seen, arrived={**seen.arrived, stream: counts})) == [HELD, BROKEN, HELD]


@pytest.mark.parametrize("state", ["", "down", None])
def test_a_queue_that_does_not_run_tells_no_state_or_is_missing_is_broken(suite: Any, state: str | None) -> None:
    states = {"durable.queue": "running", "loaded": "running", "quorum.parked": state}
    seen = seen_of(suite, states={name: told for name, told in states.items() if told is not None})

    assert outcomes(suite, seen) == [HELD, HELD, BROKEN]
    assert "not running ['quorum.parked']" in suite("test_4_single_mode").what_it_keeps(seen)[-1].reason


def test_what_was_not_there_before_is_no_verdict(suite: Any) -> None:
    seen = seen_of(suite)
    with pytest.raises(NoVerdict, match=r"0 of 40 of transient\.durable were confirmed"):
        outcomes(suite, replace(seen, arrived={**seen.arrived, "transient.durable": (0, 0)}))
    with pytest.raises(NoVerdict, match="it had"):
        outcomes(suite, replace(seen, objects_before=seen.objects_after))
    with pytest.raises(NoVerdict, match=r"0 of 100 of persistent\.fleeting were confirmed"):
        outcomes(suite, replace(seen, arrived={**seen.arrived, "persistent.fleeting": (0, 0)}))


# the cluster's name


@pytest.mark.parametrize(
    ("said", "name"),
    [('<<"cHJvZA==">>\n', "prod"), ("<<>>\n", ""), ('<<"">>\n', ""), ('<<"YsO8cm8=">>\n', "büro")],
)
def test_the_configured_cluster_name_is_the_running_configurations(suite: Any, said: str, name: str) -> None:
    world = World()
    world.containers.says = lambda _service, _command: Answer(out=said)

    assert suite("plays.whole_cluster").configured_name(world.nodes[0]) == name


def test_an_answer_without_a_name_is_a_failed_tool(suite: Any) -> None:
    world = World()
    world.containers.says = lambda _service, _command: Answer(out="")

    with pytest.raises(ToolFailed, match="rmq1 does not tell its configured cluster_name"):
        suite("plays.whole_cluster").configured_name(world.nodes[0])


NAMES = ("renamed-1", "renamed-1", "renamed-1", "renamed-1", "renamed-1")


@pytest.mark.parametrize(
    ("names", "configured", "is_held"),
    [
        (NAMES, frozenset(), True),
        (("renamed-1", *["prod"] * 4), frozenset({"prod"}), True),
        (("renamed-1", *["prod"] * 4), frozenset({"prod", "other"}), True),
        (("renamed-1", *["prod"] * 4), frozenset(), False),
        (NAMES, frozenset({"prod"}), False),
        (("renamed-1", "prod", "prod", "other", "prod"), frozenset({"prod", "other"}), False),
        (NAMES[:4], frozenset(), False),
        ((*NAMES[:4], ""), frozenset(), False),
    ],
)
def test_one_name_is_the_one_that_was_set_or_the_configurations(
    suite: Any, names: tuple[str, ...], configured: frozenset[str], is_held: bool
) -> None:
    def told(names: tuple[str, ...], at_the_vip: bool) -> Any:
        seen = SimpleNamespace(names=names, configured_names=configured, management_at_the_vip=at_the_vip)
        return suite("test_5_membership").one_cluster_name(seen)

    verdict = told(names, True)

    assert (verdict.outcome is Outcome.HELD) == is_held
    if is_held:
        assert told(names[:-1], False).outcome is Outcome.HELD
        assert told(names, False).outcome is not Outcome.HELD
    assert ("from the configuration" in verdict.reason) == bool(configured)
