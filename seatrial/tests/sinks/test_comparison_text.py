"""Comparisons are shown with blockers by cause, and as Markdown that no value can break."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace
from seatrial.model.comparison import AcceptedBy, Box, ComparedSide, Comparison, Difference, Explanation, Kind
from seatrial.sinks.comparison_text import markdown, text

WHY = Explanation(rule="localhost", cause="a | b", evidence=("one", "two", "three", "four"), remedy="use the name")


def side(name):
    return ComparedSide(name=name, kind="kubernetes", runs=("/r",), exits=(0,), tests=3, passed=2, facts=True)


def failed(number, explanation=WHY):
    return Difference(
        kind=Kind.OUTCOME, subject=f"t.py::{number}", left="passed", right="failed", explanation=explanation
    )


@pytest.fixture
def comparison():
    box = Box(text="same", proven=False, proof="2 of 3")
    return Comparison(
        verdict="a and b differ",
        ready=False,
        left=side("a"),
        right=side("b"),
        boxes=(box, replace(box, proven=True), box, box),
        differences=(
            *map(failed, range(7)),
            failed(9, None),
            replace(failed(10), accepted=AcceptedBy(owner="o", reason="r", expires=date(2026, 3, 1))),
            Difference(kind=Kind.HOSTNAME, subject="tests", left="x", right="y", counts=False),
        ),
        flaky=("t.py::f: passed 1, failed 1",),
        notes=("a note",),
    )


def test_differences_of_one_cause_are_shown_once(comparison):
    shown = text(comparison)

    assert shown.count("use the name") == 1
    assert "a | b (7 differences)" in shown
    assert "  … and 2 more" in shown
    assert "  | four" not in shown
    assert "unexplained (1 difference)\n  test-outcome t.py::9: passed in a, failed in b\n" in shown


def test_evidence_does_not_repeat_the_values_of_the_differences(comparison):
    why = replace(WHY, evidence=("a: passed", "b: failed", "log of web: no"))
    shown = text(replace(comparison, differences=(failed(1, why),)))

    assert "failed in b\n  | log of web: no\n  hint" in shown


def test_acceptance_flaky_tests_and_notes_are_never_hidden(comparison):
    shown = text(comparison)

    assert "accepted until 2026-03-01: test-outcome t.py::10 (o: r)" in shown
    assert "flaky on both sides: t.py::f: passed 1, failed 1" in shown
    assert "note: a note" in shown
    assert shown.endswith("[x] same: 2 of 3\n[ ] same: 2 of 3\n[ ] same: 2 of 3\n\na and b differ")


def test_natural_differences_are_shown_on_request(comparison):
    assert "natural: hostname tests: x in a, y in b" not in text(comparison)
    shown = text(comparison, verbose=True)

    assert "natural: hostname tests: x in a, y in b" in shown
    assert "  | four" in shown


def test_markdown_has_boxes_and_a_table(comparison):
    shown = markdown(comparison)

    assert shown.startswith("### a and b differ\n\n- [ ] same: 2 of 3\n- [x] same: 2 of 3\n")
    assert "| `test-outcome t.py::0` | passed | failed | a \\| b | use the name |" in shown
    assert "| **unexplained** |" in shown
    assert "| … and 2 more of this cause | | | | |" in shown


def test_markdown_escapes_what_comes_from_tests(comparison):
    hostile = replace(failed(1, None), right="<img src=x> | a\nb")

    assert "&lt;img src=x> \\| a b" in markdown(replace(comparison, differences=(hostile,)))


def test_markdown_of_equal_runs_has_no_table(comparison):
    equal = replace(comparison, differences=(), flaky=(), notes=())

    assert "| difference |" not in markdown(equal)
