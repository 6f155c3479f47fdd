"""Every drill for real, one after the other, and a table of what became of it; one to seven minutes a drill."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reference_model.drills import DRILLS


def run(drill: str, seconds: int, folder: Path) -> dict[str, Any]:
    report = folder / f"{drill}.json"
    command = [sys.executable, "-m", "tailwatch", "demo", "--drill", drill, "--seconds", str(seconds)]
    done = subprocess.run([*command, "--report", str(report)], capture_output=True, text=True, check=False)
    if not report.exists():
        sys.exit(f"{drill}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(report.read_text())
    return document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drills", nargs="*", default=list(DRILLS))
    parser.add_argument("--seconds", type=int, default=420)
    parser.add_argument("--json", type=Path, help="write all reports here")
    arguments = parser.parse_args()
    table = Table("drill", "right", "seconds to webhook", "cause", "slice", "false incidents", "MiB", box=None)
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for drill in arguments.drills:
            report = run(drill, arguments.seconds, Path(folder))
            reports.append(report)
            incident = report["incident"] or {"cause": "-", "slice": {}}
            labels = ", ".join(f"{name}={value}" for name, value in incident["slice"].items())
            late = report["seconds_to_notification"]
            table.add_row(
                drill, "yes" if report["passed"] else "; ".join(report["problems"]),
                "-" if late is None else f"{late:.1f}", incident["cause"], labels, str(report["false_incidents"]),
                f"{report['memory_mib']:.0f}",
            )  # fmt: skip
            print(f"{drill}: {'right' if report['passed'] else 'wrong'}", flush=True)
    Console(width=160).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(reports, indent=2) + "\n")
    sys.exit(0 if all(report["passed"] for report in reports) else 1)


if __name__ == "__main__":
    main()
