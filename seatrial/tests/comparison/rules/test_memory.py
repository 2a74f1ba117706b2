"""A container that was killed for memory explains failures; limits are shown for both sides."""

from __future__ import annotations

from seatrial.model.environment_facts import Limits
from seatrial.model.errors import ExitCode

from comparison.recorded_sides import compared, container, explained, fact, facts, run

KILLED = container(last_exit="OOMKilled 137", restarts=1, limits=Limits(memory=32 << 20))


def test_failed_test_beside_a_killed_container_is_explained():
    explanation = explained("ReadTimeout", right_facts=facts(KILLED))

    assert explanation.rule == "limits"
    assert explanation.cause == "web was killed for memory in after"
    assert explanation.evidence == (
        "web in after: OOMKilled 137, memory limit 32 MiB",
        "web in before: no memory limit",
    )


def test_exit_code_137_at_a_lower_limit_is_explained():
    left = facts(container(limits=Limits(memory=96 << 20)))
    right = facts(container(last_exit="Error 137", limits=Limits(memory=40 << 20)))

    assert explained("Connection refused", left_facts=left, right_facts=right).rule == "limits"
    assert fact(left, right, "exit").explanation.rule == "limits"


def test_exit_code_137_at_the_same_limit_is_not():
    same = Limits(memory=96 << 20)
    right = facts(container(last_exit="Error 137", limits=same))

    assert fact(facts(container(limits=same)), right, "exit").explanation is None


def test_killed_container_of_a_service_that_the_test_did_not_use_is_no_cause():
    killed = facts(container(), container(name="db", names=(), last_exit="OOMKilled 137"))

    assert explained("wrong answer", services=("web",), left_facts=killed, right_facts=killed) is None


def test_run_that_ended_because_of_the_limit_is_explained():
    right = run({}, exit_=ExitCode.ENVIRONMENT, problem="web not ready", evidence=("OOMKilled",), facts=facts(KILLED))

    assert compared(right=right).differences[0].explanation.rule == "limits"


def test_other_limits_are_explained():
    difference = fact(facts(), facts(container(limits=Limits(cpu=0.1))), "limits")

    assert difference.explanation.cause == "the limits of web differ"
