"""Test how scripts/check.py evaluates a step's report."""

from __future__ import annotations

from pathlib import Path

import pytest
from check import MORE, STEPS, Counts, not_run, read_counts, unselected

REPORT = """\
<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1">
<testcase name="test_ran"/><testcase name="test_failed"><failure/></testcase>
<testcase name="test_skipped"><skipped message="not run: policies are not enforced"/></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return path


def test_read_counts_counts_outcomes(report, tmp_path):
    assert read_counts(report) == Counts(passed=1, failed=1, skipped=1)
    assert read_counts(tmp_path / "none.xml") == Counts()


def test_not_run_needed_test_that_ran_is_omitted(report):
    assert not_run(report, ("test_ran", "test_failed")) == []


def test_not_run_returns_skipped_and_missing_tests(report, tmp_path):
    assert not_run(report, ("test_ran", "test_skipped", "test_renamed")) == ["test_skipped", "test_renamed"]
    assert not_run(tmp_path / "none.xml", ("test_ran",)) == ["test_ran"]


def test_readme_lists_the_steps_of_both_targets():
    text = (Path(__file__).parents[2] / "README.md").read_text()

    assert f"| `make check` | {', '.join(step.name for step in STEPS)} |" in text
    assert f"| `make check-more` | {', '.join(step.name for step in MORE)} |" in text


def test_unselected_names_steps_of_check_more():
    assert unselected(STEPS) == [step.name for step in MORE]
    assert unselected((*STEPS, *MORE)) == []
