"""A service that answers slower, or has less CPU, explains slower tests."""

from __future__ import annotations

from seatrial.model.environment_facts import Limits, PortAnswer

from comparison.recorded_sides import compared, container, fact, facts, recorded, run, runner

NAME = "tests/test_a.py::test_a"
SLOW = runner(ports=(PortAnswer(service="web", host="web", port=80, seconds=0.6),))


def slower(right_facts):
    left, right = (
        run({NAME: recorded(seconds=0.2)}, facts=facts()),
        run({NAME: recorded(seconds=2.0)}, facts=right_facts),
    )
    return next(each.explanation for each in compared(left, right).differences if each.kind == "test-slower")


def test_answer_time_explains_a_slower_test():
    explanation = slower(facts(runner=SLOW))

    assert explanation.cause == "web is slower in after"
    assert explanation.evidence == ("web: answers after 0.002 s in before, 0.600 s in after",)


def test_less_cpu_explains_a_slower_test():
    assert slower(facts(container(limits=Limits(cpu=0.1)))).evidence == (
        "web: no CPU limit in before, 0.1 CPU in after",
    )


def test_slower_test_without_a_slower_service_is_unexplained():
    assert slower(facts()) is None


def test_slower_start_is_explained_by_itself():
    assert fact(facts(), facts(container(seconds_to_ready=40.0)), "slower-start").explanation.rule == "slow-service"
