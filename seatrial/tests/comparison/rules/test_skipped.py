"""Skips are explained by their reason, missing tests by what one side collected."""

from __future__ import annotations

import pytest

from comparison.recorded_sides import compared, recorded, run

NAME = "tests/test_a.py::test_a"


def cause(left, right):
    explanation = compared(left, right).differences[0].explanation
    assert explanation.rule == "skipped"
    return explanation.cause


def test_reason_of_a_skip_is_the_cause():
    skipped = run({NAME: recorded("skipped", text="requires the host")})

    assert cause(run({NAME: recorded()}), skipped) == "the test is skipped in after: requires the host"


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        (run({}), "after has no test of tests/test_a.py"),
        (run({}, deselected=1), "the test was not selected in after"),
        (run({"tests/test_a.py::test_b": recorded()}), "after collected other tests of tests/test_a.py"),
    ],
)
def test_missing_test_is_explained(right, expected):
    assert cause(run({NAME: recorded()}), right) == expected


def test_module_that_could_not_be_collected_is_explained():
    right = run({"tests/test_a.py": recorded("error")})
    found = compared(run({NAME: recorded()}), right).differences

    assert "module tests/test_a.py could not be collected in after" in [
        each.explanation.cause for each in found if each.explanation
    ]
