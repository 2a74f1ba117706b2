"""Variables that are missing or differ explain failures that name them, or tests of their service."""

from __future__ import annotations

from seatrial.model.environment_facts import Variable

from comparison.recorded_sides import container, explained, fact, facts, runner

MISSING = facts(container(variables={}))
OTHER = facts(container(variables={"MODE": Variable(fingerprint="33")}))


def test_failure_that_names_the_variable_is_explained():
    explanation = explained("KeyError: 'MODE'", right_facts=MISSING)

    assert (explanation.rule, explanation.cause) == ("missing-variable", "MODE is not set for web in after")
    assert explanation.evidence[0] == "tests/test_a.py::test_a: KeyError: 'MODE'"


def test_part_of_a_longer_name_is_no_evidence():
    assert explained("KeyError: 'MODE_2'", right_facts=MISSING) is None


def test_test_of_the_service_with_the_variable_is_explained():
    assert explained("assert 'a' == 'b'", services=("web",), right_facts=OTHER).rule == "variable-value"


def test_test_that_used_no_service_is_not():
    assert explained("assert 'a' == 'b'", right_facts=OTHER) is None


def test_variable_of_the_tests_is_explained():
    other = facts(runner=runner(variables={"REGION": Variable(fingerprint="1")}))

    assert fact(facts(), other, "variable").explanation.cause == "REGION is not set for tests in before"
