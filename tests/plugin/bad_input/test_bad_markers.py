"""Marker arguments of the wrong type or value: every wrong test of a session is named at once, and none runs."""

from __future__ import annotations

import fnmatch

import pytest

from tests.plugin.bad_input.conftest import World

CASES = {
    "rmq_scenario(7)": "scenario ids: got (7,); expected at least one id of the catalogue. To do: write e.g. rmq_scenario(\"N1\").",
    'rmq_scenario("n1")': "id: got 'n1'; *",
    'rmq_scenario("N1", kind=1)': "kind: got 1; expected promise or demonstration. To do: correct it, or leave it out *",
    "rmq_requires(3)": "capabilities: got (3,); expected mirrors, *. To do: name at least one.",
    'rmq_requires("vip", "gpu")': "capability: got 'gpu'; expected mirrors, *. To do: use one of these.",
    "rmq_slo(15)": "arguments: got (15); expected rmq_slo(publishing=15, ...). To do: correct them: *",
    "rmq_slo(publishing=-1)": "budget publishing: got -1; expected seconds, a number above 0. To do: correct it.",
    'rmq_slo(publishing="15")': "budget publishing: got '15'; expected seconds, a number above 0. To do: correct it.",
    "rmq_slo(publishing=True)": "budget publishing: got True; expected seconds, a number above 0. To do: correct it.",
    'rmq_slo(publishing=float("nan"))': "budget publishing: got nan; expected seconds, a number above 0. To do: correct it.",
    'rmq_allows_log(7, reason="it fails")': "pattern: got 7; expected a regular expression as text. To do: correct it.",
    'rmq_allows_log("a[", reason="it fails")': "pattern: got 'a['; expected a regular expression. To do: correct it: unterminated *",
    'rmq_allows_log("x", reason="")': "reason: got ''; expected a sentence. To do: say why the line is expected.",
    'rmq_variant("autoheel")': "variant: got 'autoheel'; expected *autoheal*. To do: write autoheal.",
    "rmq_variant(None)": "variant: got None; expected the name of a folder of variants. To do: use letters, digits, dashes.",
    "rmq_variant": "arguments: got (); expected rmq_variant(\"autoheal\"). To do: correct them: missing a required argument: 'name'.",
    "rmq_profile(2)": "profile: got 2; expected gate, nightly. To do: use one of these.",
}  # fmt: skip


def test_wrong_arguments_of_markers_are_named_one_by_one(world: World) -> None:
    tests = [
        f'@pytest.mark.{marker}\n@pytest.mark.rmq_scenario("N2")\ndef test_{number}(rmq_stage): pass\n'
        for number, marker in enumerate(CASES)
    ]
    world.write("test_scenario.py", "import pytest\n\n" + "\n".join(tests))

    said = world.pytest()

    assert said.code == pytest.ExitCode.USAGE_ERROR, said.text
    assert "Traceback" not in said.text and world.engine.asked == []
    told = [line.removeprefix("ERROR: ") for line in said.err.splitlines() if "test_scenario.py::" in line]
    wanted = [
        f"test_scenario.py::test_{number}: marker {marker.partition('(')[0]}: {message}".replace("[", "[[]")
        for number, (marker, message) in enumerate(CASES.items())
    ]
    assert [fnmatch.fnmatchcase(line, one) for line, one in zip(told, wanted, strict=True)] == [True] * len(CASES), (
        "\n".join(line for line, one in zip(told, wanted, strict=True) if not fnmatch.fnmatchcase(line, one))
    )
