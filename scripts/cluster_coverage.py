"""Measure which part of seatrial the tests on a cluster execute: `make coverage-cluster`.

Each seatrial process that the tests start is measured. What runs in pods, such as the agent, is not. With `--write`,
the table in docs/coverage.md is replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import check_coverage

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "seatrial" / "src"
E2E: Final = ROOT / "seatrial" / "e2e"
PAGE: Final = ROOT / "docs" / "coverage.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"

SETTINGS: Final = """\
[run]
branch = true
parallel = true
data_file = {data}
source_pkgs = seatrial
patch = _exit
[report]
ignore_errors = true
"""
"""`_exit` writes the data of processes that end with `os._exit`."""


def main() -> int:
    """Run the tests, print the table and return pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="files below seatrial/e2e; default: all")
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    names = options.files or sorted(path.name for path in E2E.glob("test_*.py"))
    if unknown := [name for name in names if not (E2E / name).is_file()]:
        parser.error(f"{unknown[0]} is not in {E2E.relative_to(ROOT)}")
    # Before the tests, which take half an hour.
    if options.write and (reason := outdated(check_coverage.REPORT)):
        parser.error(f"run `make coverage` first: {reason}")
    without = without_cluster()
    with tempfile.TemporaryDirectory(prefix="cluster-coverage-") as folder:
        code, files = measure([E2E / name for name in names], Path(folder))
    table = table_of(files, without)
    print(table)
    if options.write:
        PAGE.write_text(replaced(PAGE.read_text(), table, options.files, datetime.now(UTC).date().isoformat()))
    return code


def measure(tests: Sequence[Path], folder: Path) -> tuple[int, dict[str, Any]]:
    """Run test files; return pytest's exit code and the `files` of coverage.py's JSON report, by paths below `ROOT`."""
    settings, report = folder / "coveragerc", folder / "coverage.json"
    settings.write_text(SETTINGS.format(data=folder / "data"))
    environment = {**os.environ, "COVERAGE_PROCESS_START": str(settings)}
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:seatrial", *map(str, tests)]
    code = subprocess.run(pytest, cwd=ROOT, env=environment, check=False).returncode
    for words in (["combine", "--quiet"], ["json", "--quiet", "-o", str(report)]):
        argv = [sys.executable, "-m", "coverage", words[0], f"--rcfile={settings}", *words[1:]]
        subprocess.run(argv, cwd=ROOT, check=True)
    files: dict[str, Any] = json.loads(report.read_text())["files"]
    return code, {relative(name): each for name, each in files.items()}


def relative(name: str) -> str:
    """Return the path of a measured file below the repository."""
    path = Path(name)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else name


def outdated(report: Path, sources: Path = SOURCES) -> str:
    """Return why the report of `make coverage` does not describe the present files; empty if it does."""
    if not report.is_file():
        return f"{relative(str(report))} does not exist"
    measured = report.stat().st_mtime
    newer = (path for path in sorted(sources.rglob("*.py")) if path.stat().st_mtime > measured)
    return next((f"{relative(str(path))} is newer than {relative(str(report))}" for path in newer), "")


def without_cluster() -> dict[str, Any]:
    """Return the `files` of the last `make coverage`; empty if it did not measure the present files."""
    if outdated(check_coverage.REPORT):
        return {}
    files: dict[str, Any] = json.loads(check_coverage.REPORT.read_text())["files"]
    return files


def table_of(on_cluster: Mapping[str, Any], without: Mapping[str, Any]) -> str:
    """Return a Markdown table with the coverage of each part: without a cluster, and on one."""
    plain, cluster = check_coverage.measured(without), check_coverage.measured(on_cluster)
    rows = [
        f"| `{part}` | {_shown(plain.get(part))} | {_shown(cluster.get(part))} |" for part in sorted(plain | cluster)
    ]
    whole = [{name: each for files in parts.values() for name, each in files.items()} for parts in (plain, cluster)]
    head = ["| part | without a cluster | on a cluster |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows, f"| all | {_shown(whole[0])} | {_shown(whole[1])} |"])


def _shown(files: Mapping[str, dict[str, int]] | None) -> str:
    return f"{check_coverage.percentage(list(files.values())):.1f} %" if files else ""


def replaced(page: str, table: str, names: Sequence[str], date: str) -> str:
    """Return the page with another table, the day of its measurement and the test files; none: all."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    tests = ", ".join(f"`{name}`" for name in names) or f"all tests in `{E2E.relative_to(ROOT)}`"
    measured = f"Measured on {date}, on a cluster with {tests}."
    return f"{before}{BEGIN}\n{measured}\n\n{table}\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
