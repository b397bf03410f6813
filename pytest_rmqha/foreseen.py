"""What a scenario must see on this line, for the plan: the test's own sentence, and what the line makes of its fault.

The second is computed by ``expectations`` from what the scenario sets itself; it holds for the reference stack, because the
settings of another one are read when it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_rmqha.expectations import Expectation, Line, expect_partial_partition, expect_partition, expect_promotion

MIRRORED = {"ha-mode": "all", "ha-promote-on-failure": "when-synced", "ha-promote-on-shutdown": "when-synced"}
UNSAFE = {"ha-mode": "nodes", "ha-promote-on-failure": "always", "ha-promote-on-shutdown": "always"}
PLAIN = {"ha-mode": "all"}
TO_UNSYNCED: Mapping[str, tuple[Mapping[str, object], str]] = {
    "S1": (UNSAFE, "shutdown"),
    "S4": ({**PLAIN, "ha-promote-on-failure": "always"}, "crash"),
    "S5": ({**PLAIN, "ha-promote-on-failure": "when-synced"}, "crash"),
    "S6": (PLAIN, "shutdown"),
    "S7": ({**PLAIN, "ha-promote-on-shutdown": "always"}, "shutdown"),
    "S8": ({**PLAIN, "ha-promote-on-shutdown": "always", "ha-promote-on-failure": "when-synced"}, "shutdown"),
}
See = Callable[[Line], Mapping[str, Expectation]]


def _leader_ends(how: str) -> See:
    def see(line: Line) -> Mapping[str, Expectation]:
        mirrored = {"mirrored": expect_promotion(line, "classic", MIRRORED, ends=how)} if line.has_mirrors else {}
        return {**mirrored, "quorum": expect_promotion(line, "quorum", {}, ends=how)}

    return see


def _unsynced(policy: Mapping[str, object], how: str) -> See:
    return lambda line: {"unsynced": expect_promotion(line, "classic", policy, ends=how, synced=False)}


def _partition(strategy: str) -> See:
    return lambda line: {f"the {side}": expect_partition(line, strategy, side) for side in ("minority", "majority")}


KNOWN: Mapping[str, See] = {
    **{name: _leader_ends("crash") for name in ("N1", "N4", "N5", "N7")},
    **{name: _leader_ends("shutdown") for name in ("N2", "N14")},
    **{name: _unsynced(policy, how) for name, (policy, how) in TO_UNSYNCED.items()},
    "N13": lambda line: {"quorum": expect_promotion(line, "quorum", {}, majority=False)},
    "N15": lambda line: {
        "durable": expect_promotion(line, "classic", {}),
        "not durable": expect_promotion(line, "classic", {}, durable=False),
    },
    "S2": lambda line: {"synced": expect_promotion(line, "classic", UNSAFE, ends="shutdown")},
    "P1": _partition("ignore"),
    "P2": _partition("pause_minority"),
    "P3": _partition("pause_minority"),
    "P4": _partition("autoheal"),
    "P5": _partition("autoheal"),
    "P7": lambda line: {"the pair": expect_partial_partition(line, "pause_minority")},
}


def sentence(nodeid: str) -> str:
    """A test's name read as what it is, with its parameters."""
    name, _, parameters = nodeid.rpartition("::")[2].partition("[")
    return name.removeprefix("test_").replace("_", " ") + (f" [{parameters}" if parameters else "")


def on_line(name: str, version: str) -> list[str]:
    """For one id, what each part of it comes to on this line and why; nothing for an id that no expectation covers."""
    if name not in KNOWN:
        return []
    line = Line(version)
    return [f"{part}: {seen.outcome.replace('_', ' ')} ({seen.reason})" for part, seen in KNOWN[name](line).items()]
