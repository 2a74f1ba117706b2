"""What the check makes of a step's report."""

from __future__ import annotations

import pytest
from check import MORE, STEPS, Counts, left_out, not_run, read_counts

REPORT = """\
<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1">
<testcase name="test_ran"/><testcase name="test_failed"><failure/></testcase>
<testcase name="test_skipped"><skipped message="not run: not enforced here"/></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return path


def test_outcomes_are_counted(report, tmp_path):
    assert read_counts(report) == Counts(passed=1, failed=1, skipped=1)
    assert read_counts(tmp_path / "none.xml") == Counts()


def test_a_test_that_has_to_run_did(report):
    assert not_run(report, ("test_ran", "test_failed")) == []


def test_a_skipped_or_missing_one_did_not(report, tmp_path):
    assert not_run(report, ("test_ran", "test_skipped", "test_renamed")) == ["test_skipped", "test_renamed"]
    assert not_run(tmp_path / "none.xml", ("test_ran",)) == ["test_ran"]


def test_steps_of_check_more_are_named_as_left_out_by_check():
    assert left_out(STEPS) == [step.name for step in MORE]
    assert left_out((*STEPS, *MORE)) == []
