"""Manifests as runs write them, made by hand."""

from __future__ import annotations

from typing import Any

SETTINGS = {
    "topology": "3node",
    "version": "3.10",
    "image": None,
    "balancer_image": None,
    "client_image": None,
    "toxiproxy_image": None,
    "profile": "gate",
    "budget_scale": 1.0,
    "seed": 5,
}

CODE = {"pytest-rmqha": "1", "suites/conftest.py": "2", "suites/test_a.py": "3"}


def scenario(
    nodeid: str, outcome: str = "passed", seconds: float = 10.0, ids: tuple[str, ...] = ("N1",)
) -> dict[str, Any]:
    measured = {"outage": 1.5, "lost": 0, "duplicated": 0, "unknown": 0}
    shape = {"kind": "promise", "verdicts": ["HELD x: y"], "error": "", "measured": measured}
    return {"ids": list(ids), "nodeid": nodeid, "outcome": outcome, "seconds": seconds, **shape}


def manifest(run: str, *scenarios: dict[str, Any], **more: Any) -> dict[str, Any]:
    settings = {**SETTINGS, **more.pop("settings", {})}
    red = any(one["outcome"] != "passed" for one in scenarios)
    return {
        "run": run,
        "started": more.pop("started", "2025-01-01T00:00:00.000+00:00"),
        "finished": "2025-01-01T01:00:00.000+00:00",
        "exit_status": 1 if red else 0,
        "seed": settings["seed"],
        "again": f"pytest suites/ # {run}",
        "settings": {name: {"value": value, "source": "default"} for name, value in settings.items()},
        "versions": {"pytest-rmqha": "0.1.0"},
        "config_digest": "abc",
        "code_sha256": dict(CODE),
        "scenarios": list(scenarios),
        "left_out": [],
        **more,
    }


def left_out(nodeid: str, reason: str, ids: tuple[str, ...] = ("N2",)) -> dict[str, Any]:
    return {"nodeid": nodeid, "ids": list(ids), "reason": reason}
