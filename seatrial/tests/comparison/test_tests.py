"""Outcomes, missing tests, repetitions and durations of two sides."""

from __future__ import annotations

import pytest
from seatrial.comparison.tests import Bounds, compare_tests
from seatrial.model.errors import ExitCode

from comparison.recorded_sides import compared, recorded, run, side

NAME = "tests/test_a.py::test_a"


def differences(left, right):
    return [
        (each.kind, each.subject, each.left, each.right) for each in compare_tests(left, right, Bounds()).differences
    ]


def test_equal_outcomes_are_no_difference():
    assert differences(side("a", run()), side("b", run())) == []


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("passed", "failed", "test-outcome"),
        ("passed", "error", "test-outcome"),
        ("failed", "passed", "test-outcome"),
        ("passed", "skipped", "test-not-run"),
        ("skipped", "failed", "test-not-run"),
    ],
)
def test_other_outcome_is_a_difference(before, after, kind):
    left, right = side("a", run({NAME: recorded(before)})), side("b", run({NAME: recorded(after)}))

    assert differences(left, right) == [(kind, NAME, before, after)]


@pytest.mark.parametrize(("before", "after"), [("passed", "xpassed"), ("failed", "error")])
def test_outcomes_of_the_same_meaning_are_no_difference(before, after):
    assert differences(side("a", run({NAME: recorded(before)})), side("b", run({NAME: recorded(after)}))) == []


def test_test_that_the_reference_declares_not_to_run_does_not_count():
    declared = side("a", run({NAME: recorded("skipped", text="not run: kubernetes")}))
    passed = side("b", run({NAME: recorded()}))

    assert [each.counts for each in compare_tests(declared, passed, Bounds()).differences] == [False]
    assert [each.counts for each in compare_tests(passed, declared, Bounds()).differences] == [True]


def test_test_that_one_side_has_not_collected_is_missing():
    left, right = side("a", run({NAME: recorded()})), side("b", run({}))

    assert differences(left, right) == [("test-missing", NAME, "passed", "not collected")]


def test_run_that_ended_before_its_tests_is_one_difference_and_not_one_for_each_test():
    right = side("b", run({}, exit_=ExitCode.ENVIRONMENT, problem="web not ready"))

    assert differences(side("a", run()), right) == [
        ("run", "the run", "exit code 0: all tests passed", "exit code 10: web not ready")
    ]


def test_runs_that_ended_alike_before_their_tests_are_no_difference():
    ended = side("b", run({}, exit_=ExitCode.ENVIRONMENT, problem="web not ready"))

    assert differences(ended, ended) == []
    assert not compared(ended.runs[0], ended.runs[0]).ready


class TestRepetitions:
    def flaky(self, *outcomes):
        return side("x", *(run({NAME: recorded(each)}) for each in outcomes))

    def test_test_that_is_flaky_on_one_side_is_a_difference(self):
        assert differences(self.flaky("passed", "passed"), self.flaky("passed", "failed")) == [
            ("test-flaky", NAME, "passed", "passed 1, failed 1")
        ]

    def test_test_that_is_flaky_on_both_sides_is_listed_and_no_difference(self):
        found = compare_tests(self.flaky("failed", "passed"), self.flaky("passed", "failed", "passed"), Bounds())

        assert found.differences == ()
        assert found.flaky == (f"{NAME}: failed 1, passed 1 in x, passed 2, failed 1 in x",)

    def test_test_that_always_fails_on_one_side_is_not_flaky(self):
        assert differences(self.flaky("passed", "passed"), self.flaky("failed", "failed"))[0][0] == "test-outcome"


class TestDurations:
    def timed(self, *seconds):
        return side("x", *(run({NAME: recorded(seconds=each)}) for each in seconds))

    def test_test_far_above_the_bound_is_slower(self):
        assert differences(self.timed(0.2), self.timed(2.0)) == [("test-slower", NAME, "0.20 s", "2.00 s")]

    @pytest.mark.parametrize(("before", "after"), [(0.01, 0.2), (1.0, 2.9), (0.1, 0.45)])
    def test_short_tests_and_small_ratios_are_not_slower(self, before, after):
        assert differences(self.timed(before), self.timed(after)) == []

    def test_test_that_is_slower_in_one_repetition_only_is_not_slower(self):
        assert differences(self.timed(0.2, 0.2), self.timed(2.0, 0.2)) == []

    def test_spread_over_repetitions_is_reported(self):
        durations = compare_tests(self.timed(0.75, 1.75), self.timed(1.75, 3.75), Bounds()).durations

        assert (durations.lowest, durations.median, durations.highest) == (1.0, 2.0, 4.0)

    def test_tests_that_failed_are_not_timed(self):
        failed = side("b", run({NAME: recorded("failed", seconds=9.0)}))

        assert compare_tests(side("a", run()), failed, Bounds()).durations.median is None

    def test_median_above_the_bound_refutes_the_verdict_without_a_slow_test(self):
        tests = {f"t.py::{each}": recorded(seconds=1.0) for each in range(3)}
        slow = {name: recorded(seconds=2.0) for name in tests}
        comparison = compared(run(tests), run(slow))

        assert comparison.blockers == ()
        assert comparison.exit is ExitCode.PARITY_DIFFERS
        assert not comparison.boxes[2].proven
