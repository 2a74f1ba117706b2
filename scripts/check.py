"""`make check` (and `make check-more`): every step, how long it took, and at the end one line with the tests' count.

Names of steps as arguments run those alone, `more` those of `make check-more`.

A step that fails does not hide the later ones: they run, and the whole exits 1.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
REPORTS = ROOT / ".seatrial" / "check"


@dataclass(frozen=True)
class Step:
    """One command of the check.

    Attributes:
        name: for people.
        argv: the command; `{report}` in it is where it has to leave a JUnit file, and then its tests count.
        needed: tests that may not be skipped, by name.
    """

    name: str
    argv: tuple[str, ...]
    needed: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the command runs tests."""
        return "{report}" in " ".join(self.argv)


def pytest(name: str, *args: str) -> Step:
    """Return a step that runs pytest with these arguments."""
    slowest = ("--durations=10", "--durations-min=5")
    return Step(name, (str(BIN / "pytest"), "-q", *slowest, *args, "--junitxml={report}"))


ON_ALL_CORES = ("--numprocesses=auto",)
# Without our own plugin: beside an environment that is up, it imports parts of the tool before they are measured.
COVERAGE = ("-p", "no:seatrial", "--cov=seatrial", "--cov-branch", "--cov-report=json:.seatrial/check/coverage.json")

SLOW = (
    "test_delivery_more.py",
    "test_ended_runs.py",
    "test_everywhere.py",
    "test_existing.py",
    "test_restart.py",
    "test_tutorial.py",
)

# They count as not run where the cluster's network ignores policies, and this cluster's may not.
WITH_POLICIES = (
    "test_a_pod_that_nobody_may_reach_is_not_reached",
    "test_a_namespace_that_is_not_admitted_does_not_reach_the_catalog",
)

STEPS = (
    Step("lint", ("make", "--no-print-directory", "lint")),
    Step("types", ("make", "--no-print-directory", "types")),
    Step("seed map", ("make", "--no-print-directory", "check-seed")),
    pytest("scripts and workflows", "scripts/tests", "--ignore=scripts/tests/test_workflow_steps.py"),
    pytest(
        "tool",
        "seatrial/tests",
        "seatrial/benchmarks/tests",
        "--ignore=seatrial/tests/conformance",
        *COVERAGE,
        *ON_ALL_CORES,
    ),
    Step("tool's coverage", (str(BIN / "python"), "scripts/check_coverage.py")),
    # 10 s for each of two targets.
    Step("fuzz", ("make", "--no-print-directory", "fuzz")),
    pytest("pytest in a pod", "seatrial/tests/conformance", *ON_ALL_CORES),
    Step("dist", ("make", "--no-print-directory", "dist")),
    pytest("foundry", "foundry/tests", "--ignore=foundry/tests/contract", "--ignore=foundry/tests/e2e", *ON_ALL_CORES),
    pytest("chart", "charts/tests"),
    # Each file has containers of its own, for all its tests.
    pytest("images", "foundry/tests/contract", *ON_ALL_CORES, "--dist=loadfile"),
    Step("test-k8s", ("make", "--no-print-directory", "test-k8s", "ARGS=--junitxml={report}"), needed=WITH_POLICIES),
    pytest("chart in cluster", "charts/e2e/test_polaris_schema.py", "charts/e2e/test_chart_on_cluster.py"),
    pytest("tool in cluster", "seatrial/e2e", *(f"--ignore=seatrial/e2e/{name}" for name in SLOW)),
)

# Too slow for every check: `make check-more`, which the nightly workflow runs.
MORE = (
    pytest("run script", "testing/k8s/tests"),
    pytest("chart's parity", "charts/e2e/test_chart_parity.py"),
    Step("seed map for real", ("make", "--no-print-directory", "check-seed", "ARGS=--apply")),
    pytest("workflow's steps", "scripts/tests/test_workflow_steps.py"),
    pytest("engine", "foundry/tests/e2e"),
    pytest("tutorial", "seatrial/e2e/test_tutorial.py"),
    pytest("cluster of others", "seatrial/e2e/test_existing.py"),
    pytest("more deliveries", "seatrial/e2e/test_delivery_more.py"),
    pytest("stopped nodes", "seatrial/e2e/test_restart.py"),
    pytest("ended runs", "seatrial/e2e/test_ended_runs.py"),
    pytest("one test everywhere", "seatrial/e2e/test_everywhere.py"),
)


@dataclass(frozen=True)
class Counts:
    """Tests by outcome; errors count as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_counts(report: Path) -> Counts:
    """Return the counts of a JUnit file; a missing one counts nothing."""
    if not report.is_file():
        return Counts()
    total = Counts()
    for suite in ET.parse(report).iter("testsuite"):  # noqa: S314  our own tests wrote it
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        total += Counts(tests - skipped - failed, failed, skipped)
    return total


def not_run(report: Path, needed: tuple[str, ...]) -> list[str]:
    """Return those of the tests that a JUnit file has not as run."""
    cases = ET.parse(report).iter("testcase") if needed and report.is_file() else ()  # noqa: S314  our own tests wrote it
    ran = {case.get("name") for case in cases if case.find("skipped") is None}
    return [name for name in needed if name not in ran]


def run(step: Step) -> tuple[bool, Counts]:
    """Run one step with its output passed through; return whether it succeeded, and its tests."""
    report = REPORTS / f"{step.name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run([word.replace("{report}", str(report)) for word in step.argv], cwd=ROOT, check=False)
    counts = read_counts(report)
    # A run of tests that tested nothing has not succeeded.
    tested = counts.passed > 0 or not step.counts
    missing = not_run(report, step.needed)
    for name in missing:
        print(f"{step.name}: {name} has to run, and did not")
    return done.returncode == 0 and tested and not missing, counts


def _chosen(names: list[str]) -> tuple[Step, ...]:
    """Return the steps of these names; without any, those of every check."""
    if names in ([], ["more"]):
        return MORE if names else STEPS
    steps = {step.name: step for step in (*STEPS, *MORE)}
    if unknown := set(names) - steps.keys():
        sys.exit(f"no step is called {', '.join(sorted(unknown))}; there are: {', '.join(steps)}")
    return tuple(steps[name] for name in steps if name in names)


def left_out(ran: tuple[Step, ...]) -> list[str]:
    """Return the names of the steps that were not run."""
    return [step.name for step in (*STEPS, *MORE) if step not in ran]


def main() -> int:
    """Run all steps, print a table and the count, return the exit code."""
    # Started in the background a process ignores interrupts, and so would all that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    REPORTS.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[Step, bool, Counts, float]] = []
    for step in _chosen(sys.argv[1:]):
        print(f"\n== {step.name}", flush=True)
        began = time.monotonic()
        good, counts = run(step)
        rows.append((step, good, counts, time.monotonic() - began))
    print("\n== check")
    for step, good, counts, seconds in rows:
        tests = str(counts) if counts != Counts() else ""
        print(f"{step.name:19} {'ok' if good else 'FAILED':7} {seconds:6.1f} s  {tests}")
    if left := left_out(tuple(step for step, *_ in rows)):
        print(f"not run here: {', '.join(left)}")
    print(sum((counts for _, _, counts, _ in rows), Counts()))
    return 0 if all(good for _, good, _, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
