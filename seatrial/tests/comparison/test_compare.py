"""The verdict: four conditions with their proofs, and the exit code."""

from __future__ import annotations

from seatrial.comparison.accepted import parse
from seatrial.comparison.compare import compare
from seatrial.comparison.conditions import COMPOSE_BOXES
from seatrial.comparison.tests import Bounds
from seatrial.model.errors import ExitCode

from comparison.recorded_sides import TODAY, compared, container, facts, recorded, run, side

NAME = "tests/test_a.py::test_a"
ENTRY = """\
[[accepted]]
difference = "test-outcome *"
owner = "o"
reason = "r"
expires = 2026-03-01
"""


def migrated(left=None, right=None, **more):
    one = side("compose", left or run(facts=facts(kind="compose")))
    other = side("kubernetes", right or run(facts=facts()))
    return compare(one, other, bounds=Bounds(), today=TODAY, ready=True, **more)


def test_equal_runs_prove_all_boxes():
    comparison = compared()

    assert comparison.exit is ExitCode.PASSED
    assert comparison.verdict == "before and after are equal"
    assert [box.proven for box in comparison.boxes] == [True] * 4


def test_compose_and_kubernetes_are_judged_by_the_conditions_of_the_migration():
    comparison = migrated()

    assert [box.text for box in comparison.boxes] == list(COMPOSE_BOXES)
    assert comparison.verdict == "ready to drop Compose"
    assert comparison.exit is ExitCode.PASSED


def test_test_that_fails_in_kind_refutes_the_first_two_boxes():
    comparison = migrated(right=run({NAME: recorded("failed")}, facts=facts()))

    assert [box.proven for box in comparison.boxes[:2]] == [False, False]
    assert comparison.boxes[0].proof == f"0 of 1 tests that pass in compose pass in kubernetes; first: {NAME}"
    assert comparison.verdict == "not ready to drop Compose: 1 difference, 1 unexplained"
    assert comparison.exit is ExitCode.PARITY_DIFFERS


def test_accepted_difference_does_not_count():
    failed = run({NAME: recorded("failed"), "x": recorded()}, facts=facts())
    passed = run({NAME: recorded(), "x": recorded()}, facts=facts(kind="compose"))
    comparison = migrated(passed, failed, entries=parse(ENTRY, "f"), file="f")

    assert comparison.exit is ExitCode.PASSED
    assert comparison.boxes[0].proof.endswith("1 of them by acceptance")
    assert comparison.boxes[1].proof == "no difference counts, 1 accepted"


def test_unreadable_log_refutes_the_last_box_and_only_the_gate():
    silent = run(facts=facts(container(log=-1)))
    comparison = migrated(right=silent)

    assert comparison.boxes[3].proof == "logs cannot be read in kubernetes: web"
    assert comparison.exit is ExitCode.PARITY_DIFFERS
    assert compared(right=silent).exit is ExitCode.PASSED


def test_container_of_the_tests_without_an_answer_refutes_the_last_box():
    comparison = migrated(right=run(facts=facts(runner=None)))

    assert "no command runs in the container of the tests in kubernetes" in comparison.boxes[3].proof


def test_runs_without_facts_are_compared_by_their_tests():
    comparison = compared(run(), run())

    assert comparison.exit is ExitCode.PASSED
    assert comparison.notes[0] == "before has no facts.json: environments are compared by their tests only"
    assert not comparison.ready


def test_other_keys_are_noted():
    assert any("SEATRIAL_FACTS_KEY" in note for note in compared(right=run(facts=facts(key="other"))).notes)


def test_most_important_difference_is_first_and_natural_ones_are_last():
    left = run({NAME: recorded(), "b": recorded()}, facts=facts())
    right = run({NAME: recorded("failed"), "b": recorded("skipped")}, facts=facts(container(digest="sha256:b")))

    assert [each.kind for each in compared(left, right).differences] == ["test-outcome", "test-not-run", "image"]
