"""A cluster of each RabbitMQ line: formed, loaded through the VIP, its leader killed. Writes reports/lines.json."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from pytest_rmqha.images.spec import LINES

ROOT = Path(__file__).parent.parent


def run(line: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as place:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "tests/lines",
            f"--rmq-version={line}",
            f"--rmq-reports={place}",
            "-q",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
        manifests = list(Path(place).glob("*/manifest.json"))
        facts = json.loads(manifests[0].read_text()) if manifests else {}
    scenarios = facts.get("scenarios") or [{"seconds": None, "measured": {"outage": None}}]
    row = {
        "line": line,
        "passed": done.returncode == 0,
        "bring_up_seconds": facts.get("bring_up_seconds"),
        "scenario_seconds": scenarios[0]["seconds"],
        "outage_seconds": scenarios[0]["measured"]["outage"],
        **facts.get("bring_up", {}),
    }
    said = "passed" if row["passed"] else "FAILED"
    print(f"lines: {line}: {said}, up after {row['bring_up_seconds']} s, outage {row['outage_seconds']} s", flush=True)
    if done.returncode != 0:
        print(done.stdout[-3000:])
    return row


def main() -> int:
    rows = [run(line) for line in (sys.argv[1:] or LINES)]
    (ROOT / "reports" / "lines.json").write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
