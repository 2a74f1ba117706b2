"""Check the branch coverage of seatrial's pure modules in coverage.py's JSON report; exit 1 if one is too low.

Code in other processes is not measured: the agent, the renderer, and fixtures and clients in the pod. The pure files of
fixtures and clients are measured.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / ".seatrial" / "check" / "coverage.json"
SOURCE = "seatrial/src/seatrial/"
PARTS = (
    "config/", "diagnose/", "image_inputs/", "model/", "pod/", "readiness/", "report/", "runner/",
    "runner/verdict_rules.py",
)  # fmt: skip
PROGRAMS = (
    "pod/agent/",
    "runner/renderer/",
    *(f"pod/clients/{name}.py" for name in ("client_programs", "http_client", "sql_client")),
    *(
        f"pod/fixtures/{name}.py"
        for name in (
            "container_provider", "fixture_plugin", "isolated_namespaces", "kube_client", "plugin_options",
            "service_fixture",
        )
    ),
)  # fmt: skip
ENOUGH = 95.0
"""Minimum percentage of lines and branches together, as coverage.py computes it."""


def main() -> int:
    """Print the percentage of each part, and the files with the most missing lines if it is too low."""
    try:
        files: dict[str, dict[str, Any]] = json.loads(REPORT.read_text())["files"]
    except OSError:
        print(f"{REPORT.relative_to(ROOT)} is missing; run: make coverage", file=sys.stderr)
        return 1
    good = True
    for part in PARTS:
        measured = {
            path.removeprefix(SOURCE): each["summary"]
            for path, each in files.items()
            if path.startswith(SOURCE + part) and not path.startswith(tuple(SOURCE + program for program in PROGRAMS))
        }
        per_cent = _per_cent(list(measured.values()))
        print(f"{part:20} {per_cent:5.1f} %  {len(measured)} files")
        if per_cent < ENOUGH:
            good = False
            for path, summary in sorted(measured.items(), key=lambda item: _per_cent([item[1]]))[:3]:
                print(f"  {path} {_per_cent([summary]):.1f} %", file=sys.stderr)
    return 0 if good else 1


def _per_cent(summaries: list[dict[str, Any]]) -> float:
    """Return the percentage of executed lines and branches; 0 if nothing was measured."""
    there = sum(each["num_statements"] + each["num_branches"] for each in summaries)
    run = sum(each["covered_lines"] + each["covered_branches"] for each in summaries)
    return 100.0 * run / there if there else 0.0


if __name__ == "__main__":
    sys.exit(main())
