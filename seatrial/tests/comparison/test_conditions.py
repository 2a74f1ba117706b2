"""The four conditions of a comparison and its verdict in one line."""

from __future__ import annotations

import pytest
from seatrial.comparison.conditions import COMPOSE_BOXES, boxes, verdict
from seatrial.model.comparison import AcceptedBy, Box, Difference, Durations, Explanation, Kind

from comparison.recorded_sides import TODAY, container, facts, recorded, run, side

COMPOSE = side("compose", run(facts=facts(kind="compose")))
KUBERNETES = side("kubernetes", run(facts=facts()))
ACCEPTED = AcceptedBy(owner="o", reason="r", expires=TODAY)
EXPLAINED = Explanation(rule="r", cause="c")
EQUAL = Durations(tests=3, median=1.0, lowest=1.0, highest=1.0)


def difference(subject="a", kind=Kind.OUTCOME, **more):
    return Difference(kind=kind, subject=subject, left="passed", right="failed", **more)


def judged(left=COMPOSE, right=KUBERNETES, differences=(), durations=EQUAL):
    return boxes(left, right, differences, durations)


def test_conditions_are_named_after_the_migration_or_after_the_sides():
    assert [box.text for box in judged()] == list(COMPOSE_BOXES)
    for left, right in ((COMPOSE, COMPOSE), (KUBERNETES, KUBERNETES), (KUBERNETES, COMPOSE)):
        assert [box.text for box in judged(left, right)] == [
            f"All tests that pass in {left.name} also pass in {right.name}",
            "No environment-specific failures",
            f"Performance comparable ({right.name} not significantly slower)",
            "Logs/debugging work in both environments",
        ]


class TestSameTests:
    def box(self, left, right, differences=()):
        one, other = side("before", *(run(each) for each in left)), side("after", *(run(each) for each in right))
        return judged(one, other, differences)[0]

    def test_each_good_outcome_counts_as_passed(self):
        left = {"a": recorded(), "b": recorded("xfailed"), "c": recorded("xpassed"), "d": recorded("failed")}
        right = {"a": recorded("xpassed"), "b": recorded(), "c": recorded("xfailed")}
        box = self.box([left], [right])

        assert (box.proven, box.proof) == (True, "3 of 3 tests that pass in before pass in after")

    def test_tests_that_fail_or_do_not_run_refute_it(self):
        left = {"a": recorded(), "b": recorded(), "c": recorded()}
        box = self.box([left], [{"a": recorded(), "b": recorded("skipped")}])

        assert (box.proven, box.proof) == (False, "1 of 3 tests that pass in before pass in after; first: b")

    def test_test_that_passes_in_one_repetition_passes(self):
        box = self.box([{"a": recorded("failed")}, {"a": recorded()}], [{"a": recorded("failed")}, {"a": recorded()}])

        assert (box.proven, box.proof) == (True, "1 of 1 tests that pass in before pass in after")

    def test_tests_of_the_first_repetition_are_compared(self):
        box = self.box([{"a": recorded()}, {"a": recorded(), "b": recorded()}], [{"a": recorded()}])

        assert (box.proven, box.proof) == (True, "1 of 1 tests that pass in before pass in after")

    def test_accepted_tests_do_not_refute_it_and_are_counted(self):
        left = {"a": recorded(), "b": recorded(), "c": recorded()}
        accepted = [difference("a", accepted=ACCEPTED), difference("b", accepted=ACCEPTED), difference("c")]
        box = self.box([left], [{"a": recorded(), "b": recorded("failed"), "c": recorded()}], accepted)

        assert box.proven
        assert box.proof == "3 of 3 tests that pass in before pass in after, 1 of them by acceptance"

    def test_acceptance_of_one_test_does_not_excuse_another(self):
        failed = {"a": recorded("failed"), "b": recorded("failed")}
        box = self.box(
            [{"a": recorded(), "b": recorded()}], [failed], [difference("a", accepted=ACCEPTED), difference("b")]
        )

        assert not box.proven
        assert box.proof == "1 of 2 tests that pass in before pass in after, 1 of them by acceptance; first: b"

    def test_nothing_is_proven_if_no_test_passed(self):
        box = self.box([{"a": recorded("failed")}], [{"a": recorded("failed")}])

        assert (box.proven, box.proof) == (False, "no test passed in before")


class TestNoFailures:
    @pytest.mark.parametrize(
        ("differences", "proven", "proof"),
        [
            ([], True, "no difference counts"),
            ([difference(counts=False)], True, "no difference counts"),
            ([difference(kind=Kind.SLOWER)], True, "no difference counts"),
            ([difference(accepted=ACCEPTED)], True, "no difference counts, 1 accepted"),
            ([difference()], False, "1 difference, 1 unexplained"),
            ([difference(), difference(explanation=EXPLAINED)], False, "2 differences, 1 unexplained"),
            ([difference(), difference(kind=Kind.VARIABLE)], False, "2 differences, 2 unexplained"),
            (
                [difference(explanation=EXPLAINED), difference(accepted=ACCEPTED), difference(accepted=ACCEPTED)],
                False,
                "1 difference, 0 unexplained, 2 accepted",
            ),
        ],
    )
    def test_differences_that_count_and_are_not_accepted_refute_it(self, differences, proven, proof):
        box = judged(differences=differences)[1]

        assert (box.proven, box.proof) == (proven, proof)


class TestPerformance:
    @pytest.mark.parametrize(
        ("durations", "differences", "proven", "proof"),
        [
            (Durations(), [], False, "no test passed on both sides"),
            (EQUAL, [], True, "median ratio 1.00 of at most 1.5 over 3 tests; 0 tests above 3"),
            (
                Durations(tests=2, median=1.5, lowest=1.25, highest=2.0),
                [],
                True,
                "median ratio 1.50 of at most 1.5 over 2 tests (1.25 to 2.00 over repetitions); 0 tests above 3",
            ),
            (
                Durations(tests=2, median=1.51, lowest=1.51, highest=1.51, median_bound=1.5, test_bound=4.5),
                [],
                False,
                "median ratio 1.51 of at most 1.5 over 2 tests; 0 tests above 4.5",
            ),
            (
                Durations(tests=3, median=1.0, lowest=1.25, highest=float("1.25")),
                [difference(kind=Kind.SLOWER), difference(kind=Kind.SLOWER, accepted=ACCEPTED)],
                False,
                "median ratio 1.00 of at most 1.5 over 3 tests; 1 test above 3",
            ),
            (
                EQUAL,
                [difference(kind=kind) for kind in (Kind.SLOWER, Kind.OUTCOME, Kind.VARIABLE, Kind.SLOWER)],
                False,
                "median ratio 1.00 of at most 1.5 over 3 tests; 2 tests above 3",
            ),
        ],
    )
    def test_median_and_single_tests_are_bounded(self, durations, differences, proven, proof):
        box = judged(differences=differences, durations=durations)[2]

        assert (box.proven, box.proof) == (proven, proof)


class TestDebugging:
    def box(self, *, left=COMPOSE, **right):
        return judged(left, side("kubernetes", run(**right)))[3]

    def test_logs_and_a_command_on_both_sides_prove_it(self):
        box = self.box(facts=facts(container(log=0), container(name="db")))

        assert box.proven
        assert box.proof == (
            "compose: 1 log read, a command ran in the runner; kubernetes: 2 logs read, a command ran in the runner"
        )

    def test_logs_that_cannot_be_read_are_named(self):
        box = self.box(facts=facts(container(log=-1), container(name="db", log=-1), container(name="ok", log=0)))

        assert (box.proven, box.proof) == (False, "logs cannot be read in kubernetes: web, db")

    def test_container_of_the_tests_without_an_answer_is_a_problem(self):
        silent = facts(runner=None)
        box = self.box(facts=silent)

        assert not box.proven
        assert box.proof.startswith("no command runs in the container of the tests in kubernetes: ")

    def test_first_repetition_has_the_results_of_tests(self):
        right = side("kubernetes", run({}, facts=facts()), run(facts=facts()))

        assert judged(COMPOSE, right)[3].proof == "kubernetes has no results of tests"
        assert judged(COMPOSE, side("kubernetes", *reversed(right.runs)))[3].proven

    def test_all_problems_of_both_sides_are_listed(self):
        box = self.box(left=side("compose", run()), tests={}, facts=facts(container(log=-1)))

        assert not box.proven
        assert box.proof == (
            "compose has no facts.json: record the run again with this version of seatrial;"
            " logs cannot be read in kubernetes: web; kubernetes has no results of tests"
        )


PROVEN, OPEN = Box(text="one", proven=True, proof=""), Box(text="two", proven=False, proof="")


@pytest.mark.parametrize(
    ("shown", "blockers", "migration", "others"),
    [
        ([PROVEN], [], "ready to drop Compose", "a and b are equal"),
        ([PROVEN, OPEN], [], "not ready to drop Compose: not proven: two", "a and b differ: not proven: two"),
        ([OPEN, OPEN], [], "not ready to drop Compose: not proven: two, two", "a and b differ: not proven: two, two"),
        (
            [PROVEN],
            [difference()],
            "not ready to drop Compose: 1 difference, 1 unexplained",
            "a and b differ: 1 difference, 1 unexplained",
        ),
        (
            [OPEN],
            [difference(explanation=EXPLAINED), difference()],
            "not ready to drop Compose: 2 differences, 1 unexplained",
            "a and b differ: 2 differences, 1 unexplained",
        ),
    ],
)
def test_verdict_names_what_is_not_equal(shown, blockers, migration, others):
    assert verdict(COMPOSE, KUBERNETES, shown, blockers) == migration
    assert verdict(side("a", run()), side("b", run()), shown, blockers) == others
    both = side("a", *COMPOSE.runs), side("b", *COMPOSE.runs)
    assert verdict(*both, shown, blockers) == others
