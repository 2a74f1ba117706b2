"""Run the steps of `make check` and `make check-more`, and print their durations and the number of tests.

Arguments select steps by name; `more` selects those of `make check-more`. After a failed step, the remaining steps
still run, and the exit code is 1.
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
        name: the name in the output.
        argv: the command. If it contains `{report}`, it writes a JUnit file there and its tests are counted.
        needed: names of tests that must not be skipped.
    """

    name: str
    argv: tuple[str, ...]
    needed: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the command runs tests."""
        return "{report}" in " ".join(self.argv)


def pytest(name: str, *args: str, needed: tuple[str, ...] = ()) -> Step:
    """Return a step that runs pytest with these arguments."""
    slowest = ("--durations=10", "--durations-min=5")
    return Step(name, (str(BIN / "pytest"), "-q", *slowest, *args, "--junitxml={report}"), needed)


ON_ALL_CORES = ("--numprocesses=auto",)
# Without seatrial's own plugin, which imports some modules before their coverage is measured if an environment is up.
COVERAGE = ("-p", "no:seatrial", "--cov=seatrial", "--cov-branch", "--cov-report=json:.seatrial/check/coverage.json")

SLOW = (
    "test_delivery_more.py",
    "test_ended_runs.py",
    "test_everywhere.py",
    "test_existing.py",
    "test_restart.py",
    "test_tutorial.py",
)

# Tests that are skipped without a browser.
WITH_BROWSER = ("test_page_opens_without_an_error_and_loads_nothing",)

# Tests that are skipped in a cluster that does not enforce policies. This cluster must enforce them.
WITH_POLICIES = (
    "test_denied_pod_is_unreachable",
    "test_unadmitted_namespace_cannot_reach_catalog",
)

# testing/docker can be deleted once Compose is dropped.
CHART_TESTS = tuple(each for each in ("charts/tests", "testing/docker/tests") if (ROOT / each).is_dir())

STEPS = (
    Step("lint", ("make", "--no-print-directory", "lint")),
    Step("types", ("make", "--no-print-directory", "types")),
    Step("seed map", ("make", "--no-print-directory", "check-seed")),
    pytest("scripts and workflows", "scripts/tests", "--ignore=scripts/tests/test_workflow_steps.py"),
    pytest(
        "seatrial",
        "seatrial/tests",
        "seatrial/benchmarks/tests",
        "--ignore=seatrial/tests/conformance",
        *COVERAGE,
        *ON_ALL_CORES,
        needed=WITH_BROWSER,
    ),
    Step("coverage", (str(BIN / "python"), "scripts/check_coverage.py")),
    # 10 s for each of two decoders.
    Step("fuzz", ("make", "--no-print-directory", "fuzz")),
    pytest("pytest conformance", "seatrial/tests/conformance", *ON_ALL_CORES),
    Step("dist", ("make", "--no-print-directory", "dist")),
    pytest("foundry", "foundry/tests", "--ignore=foundry/tests/contract", "--ignore=foundry/tests/e2e", *ON_ALL_CORES),
    pytest("chart", *CHART_TESTS),
    # Each file shares its containers between its tests.
    pytest("images", "foundry/tests/contract", *ON_ALL_CORES, "--dist=loadfile"),
    Step("test-k8s", ("make", "--no-print-directory", "test-k8s", "ARGS=--junitxml={report}"), needed=WITH_POLICIES),
    pytest("chart e2e", "charts/e2e/test_polaris_schema.py", "charts/e2e/test_chart_on_cluster.py"),
    pytest("seatrial e2e", "seatrial/e2e", *(f"--ignore=seatrial/e2e/{name}" for name in SLOW)),
)

# The slow steps of `make check-more`, run by the nightly workflow.
MORE = (
    pytest("run script", "testing/k8s/tests"),
    pytest("chart parity", "charts/e2e/test_chart_parity.py"),
    Step("seed map patches", ("make", "--no-print-directory", "check-seed", "ARGS=--apply")),
    pytest("workflow steps", "scripts/tests/test_workflow_steps.py"),
    pytest("engine", "foundry/tests/e2e"),
    pytest("tutorial", "seatrial/e2e/test_tutorial.py"),
    pytest("shared cluster", "seatrial/e2e/test_existing.py"),
    pytest("image delivery", "seatrial/e2e/test_delivery_more.py"),
    pytest("stopped nodes", "seatrial/e2e/test_restart.py"),
    pytest("ended runs", "seatrial/e2e/test_ended_runs.py"),
    pytest("suite everywhere", "seatrial/e2e/test_everywhere.py"),
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
    """Return the counts of a JUnit file; zero if it is missing."""
    if not report.is_file():
        return Counts()
    total = Counts()
    for suite in ET.parse(report).iter("testsuite"):  # noqa: S314  written by this repository's tests
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        total += Counts(tests - skipped - failed, failed, skipped)
    return total


def not_run(report: Path, needed: tuple[str, ...]) -> list[str]:
    """Return the needed tests that a JUnit file does not contain as run."""
    cases = ET.parse(report).iter("testcase") if needed and report.is_file() else ()  # noqa: S314  written by this repository's tests
    ran = {case.get("name") for case in cases if case.find("skipped") is None}
    return [name for name in needed if name not in ran]


def run(step: Step) -> tuple[bool, Counts]:
    """Run one step and show its output. Return whether it succeeded, and its counts."""
    report = REPORTS / f"{step.name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run([word.replace("{report}", str(report)) for word in step.argv], cwd=ROOT, check=False)
    counts = read_counts(report)
    # A step without a passed test has not succeeded.
    tested = counts.passed > 0 or not step.counts
    missing = not_run(report, step.needed)
    for name in missing:
        print(f"{step.name}: {name} was not run")
    return done.returncode == 0 and tested and not missing, counts


def _chosen(names: list[str]) -> tuple[Step, ...]:
    """Return the steps with these names; all steps of `make check` without names."""
    if names in ([], ["more"]):
        return MORE if names else STEPS
    steps = {step.name: step for step in (*STEPS, *MORE)}
    if unknown := set(names) - steps.keys():
        sys.exit(f"unknown step: {', '.join(sorted(unknown))}; known: {', '.join(steps)}")
    return tuple(steps[name] for name in steps if name in names)


def unselected(ran: tuple[Step, ...]) -> list[str]:
    """Return the names of the steps that were not run."""
    return [step.name for step in (*STEPS, *MORE) if step not in ran]


def main() -> int:
    """Run the steps, print a table and the counts, and return the exit code."""
    # A background process ignores SIGINT, and so would the processes that tests start and interrupt.
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
    if left := unselected(tuple(step for step, *_ in rows)):
        print(f"steps not run: {', '.join(left)}")
    print(sum((counts for _, _, counts, _ in rows), Counts()))
    return 0 if all(good for _, good, _, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
