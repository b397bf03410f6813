"""Values that no option takes, in the option, the environment and the ini file; what else is wrong with how it is called."""

from __future__ import annotations

import pytest

from tests.plugin.bad_input.conftest import World

SHARD = "; expected I/N with I from 1 to N, and N up to 99. To do: write e.g. 1/3 for the first part of three."
TOPOLOGY = "; expected 1node, 3node*, or the path of a compose file. To do: "
CASES = {
    "part nothing of nothing": ("--rmq-shard=0/0", f"--rmq-shard: got 0/0{SHARD}"),
    "part nothing": ("--rmq-shard=0/3", f"--rmq-shard: got 0/3{SHARD}"),
    "a part beyond the last": ("--rmq-shard=4/3", f"--rmq-shard: got 4/3{SHARD}"),
    "too many parts": ("--rmq-shard=1/100", f"--rmq-shard: got 1/100{SHARD}"),
    "a part in words": ("--rmq-shard=first", f"--rmq-shard: got first{SHARD}"),
    "a negative part": ("--rmq-shard=-1/3", f"--rmq-shard: got -1/3{SHARD}"),
    "more parts than plays": ("--rmq-shard=1/2", "--rmq-shard: got 1/2; expected at most 1 shards. To do: 1 plays run, *take fewer shards."),
    "an unknown topology": ("--rmq-topology=4nodes", f"--rmq-topology: got 4nodes{TOPOLOGY}write *node."),
    "a topology that resembles nothing": ("--rmq-topology=prod", f"--rmq-topology: got prod{TOPOLOGY}name one of these, or write a path as ./prod.yaml."),
    "a folder as topology": ("--rmq-topology=./docker", f"--rmq-topology: got ./docker{TOPOLOGY}there is no file */docker."),
    "no topology": ("--rmq-topology=", f"--rmq-topology: got *{TOPOLOGY}*"),
    "an infinite budget": ("--rmq-budget-scale=inf", "--rmq-budget-scale: got inf; expected a number above 0, up to 100. To do: use 1 *"),
    "no number as budget": ("--rmq-budget-scale=nan", "--rmq-budget-scale: got nan; expected a number above 0, up to 100. To do: *"),
    "a negative seed": ("--rmq-seed=-1", "--rmq-seed: got -1; expected a whole number from 0 on. To do: copy *"),
    "a run to resume that is not there": ("--rmq-resume=20260101-000000-abcd", "--rmq-resume: got 20260101-000000-abcd; expected the name of a run *. To do: *"),
    "a run to resume with blanks": ("--rmq-resume=last run", "--rmq-resume: got last run; expected the name of a run *. To do: copy the name from the reports folder."),
}  # fmt: skip


@pytest.mark.parametrize(("argument", "message"), CASES.values(), ids=CASES.keys())
def test_a_value_is_refused(world: World, argument: str, message: str) -> None:
    world.refuses(world.pytest(argument), f"ERROR: {message}")


@pytest.mark.parametrize("name", ["SHARD", "PROFILE", "VERSION", "TOPOLOGY", "KEEP"])
def test_the_environment_variable_is_named(world: World, name: str) -> None:
    world.environment[f"RMQ_{name}"] = "nonsense"
    world.refuses(world.pytest(), f"ERROR: environment RMQ_{name}: got nonsense; expected *. To do: *")


def test_the_ini_setting_is_named(world: World) -> None:
    world.write("pytest.ini", "[pytest]\nrmq_version = 3.9\n")
    world.refuses(
        world.pytest(), "ERROR: ini rmq_version: got 3.9; expected one of 3.8, 3.10, 4.0, 4.3. To do: write 3.8."
    )


def test_a_verdict_is_never_retried_by_a_plugin_of_another_name(world: World) -> None:
    world.write(
        "conftest.py",
        "def pytest_addoption(parser): parser.addoption('--force-flaky', dest='force_flaky', action='store_true')",
    )
    world.refuses(
        world.pytest("--force-flaky"),
        "ERROR: --force-flaky: got True; allowed: 0 with scenarios, because a verdict is never retried: a stack that loses "
        "messages now and then is not safe. Remove --force-flaky (also from the ini file)",
    )
