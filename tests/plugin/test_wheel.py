"""The wheel carries plugin, suites and topologies: installed into a fresh environment, scenarios are collected from it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def said(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_scenarios_are_collected_from_an_installed_wheel(tmp_path: Path) -> None:
    said(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT), cwd=tmp_path)
    wheel = next(tmp_path.glob("*.whl"))
    said(sys.executable, "-m", "venv", "fresh", cwd=tmp_path)
    python = str(tmp_path / "fresh" / "bin" / "python")
    said(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel), cwd=tmp_path)
    site = next((tmp_path / "fresh").glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")  # only ours comes from the wheel

    places = said(
        python,
        "-c",
        "from pytest_rmqha import data, plugin; print(plugin.__file__); print(data.suites_folder()); print(*data.topologies())",
        cwd=tmp_path,
    ).splitlines()
    assert all(str(site) in place for place in places[:2]), places
    assert places[2].split() == ["1node", "3node"]

    plan = said(python, "-m", "pytest", places[1], "--rmq-plan", "-p", "no:cacheprovider", cwd=tmp_path)
    for scenario in ("N1", "S1", "P3", "B7", "C9", "V12", "K1"):
        assert scenario in plan, plan
