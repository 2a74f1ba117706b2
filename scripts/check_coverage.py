"""Check the branch coverage of each part of seatrial in coverage.py's JSON report; exit 1 if one is below its floor.

The report is that of the tests without a cluster. Code in other processes is not measured: the renderer, commands that
tests start, and the agent as it runs in a pod. `make coverage-cluster` measures what the cluster tests cover.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
REPORT: Final = ROOT / ".seatrial" / "check" / "coverage.json"
SOURCE: Final = "seatrial/src/seatrial/"

FLOORS: Final[Mapping[str, float]] = {
    ".": 98.0,
    "adapters": 95.0,
    "app": 92.0,
    "chart_checks": 98.0,
    "cli": 94.0,
    "cluster_checks": 98.0,
    "collection": 97.0,
    "comparison": 97.0,
    "compose": 98.0,
    "config": 98.0,
    "diagnose": 94.0,
    "doubles": 96.0,
    "environments": 97.0,
    "image_inputs": 97.0,
    "images": 96.0,
    "model": 98.0,
    "namespaces": 97.0,
    "pod/agent": 69.0,
    "pod/clients": 92.0,
    "pod/fixtures": 92.0,
    "pytest_plugin": 75.0,
    "readiness": 99.0,
    "releases": 95.0,
    "removal": 99.0,
    "report": 97.0,
    "runner": 94.0,
    "runner_pod": 97.0,
    "sinks": 98.0,
    "stages": 94.0,
    "watching": 97.0,
}
"""Minimum percentage of lines and branches together by part: a package, a package of `pod`, or `.` for modules at the
top. Raise them with the coverage; never lower them."""

_SLACK: Final = 2.0
"""Percentage points above its floor from which a part is reported."""


def part_of(path: str) -> str:
    """Return the part of a source file, by its path below the package."""
    folders = Path(path).parts[:-1]
    depth = 2 if folders[:1] == ("pod",) else 1
    return "/".join(folders[:depth]) or "."


def measured(files: Mapping[str, Any]) -> dict[str, dict[str, dict[str, int]]]:
    """Return the summaries of the report by part and path."""
    parts: dict[str, dict[str, dict[str, int]]] = {}
    for path, each in files.items():
        if path.startswith(SOURCE) and each["summary"]["num_statements"]:
            name = path.removeprefix(SOURCE)
            parts.setdefault(part_of(name), {})[name] = each["summary"]
    return parts


def percentage(summaries: list[dict[str, int]]) -> float:
    """Return the percentage of executed lines and branches; 0 if nothing was measured."""
    possible = sum(each["num_statements"] + each["num_branches"] for each in summaries)
    executed = sum(each["covered_lines"] + each["covered_branches"] for each in summaries)
    return 100.0 * executed / possible if possible else 0.0


def main() -> int:
    """Print the percentage of each part, and the files with the lowest one if a part is below its floor."""
    try:
        files: dict[str, Any] = json.loads(REPORT.read_text())["files"]
    except OSError:
        print(f"{REPORT.relative_to(ROOT)} is missing; run: make coverage", file=sys.stderr)
        return 1
    parts, good = measured(files), True
    print(f"{'part':18} {'covered':>9} {'floor':>7}  files")
    for part in sorted(parts | dict.fromkeys(FLOORS)):
        summaries = parts.get(part, {})
        share, floor = percentage(list(summaries.values())), FLOORS.get(part)
        remark = "" if floor is None or share < floor + _SLACK else "  raise the floor"
        shown = "none" if floor is None else f"{floor:.0f} %"
        print(f"{part:18} {share:7.1f} % {shown:>7}  {len(summaries)}{remark}")
        if floor is None:
            good = False
            print(f"  add a floor for {part} to scripts/check_coverage.py", file=sys.stderr)
        elif share < floor:
            good = False
            for path, summary in sorted(summaries.items(), key=lambda item: percentage([item[1]]))[:5]:
                print(f"  {path} {percentage([summary]):.1f} %", file=sys.stderr)
    print(f"{'all':18} {percentage([each for files in parts.values() for each in files.values()]):7.1f} %")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
