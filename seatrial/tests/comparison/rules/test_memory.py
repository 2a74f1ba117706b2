"""A container that was killed for memory explains failures; limits are shown for both sides."""

from __future__ import annotations

import pytest
from seatrial.model.environment_facts import Limits, Usage
from seatrial.model.errors import ExitCode

from comparison.recorded_sides import compared, container, explained, fact, facts, run, runner

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


def test_usage_is_evidence_for_other_limits_of_the_tests():
    left = runner(limits=Limits(memory=96 << 20), usage=Usage(memory_peak=30 << 20))
    right = runner(usage=Usage(memory_peak=31 << 20))

    assert fact(facts(runner=left), facts(runner=right), "limits").explanation.evidence == (
        "before: 96 MiB, no CPU limit",
        "after: no memory limit, no CPU limit",
        "tests in before: used at most 30 MiB of 96 MiB",
        "tests in after: used at most 31 MiB, without a limit",
    )


@pytest.mark.parametrize(("peak", "is_evidence"), [(95, True), (30, False)])
def test_usage_is_evidence_for_a_kill_if_it_reached_the_limit(peak, is_evidence):
    used = runner(limits=Limits(memory=96 << 20), usage=Usage(memory_peak=peak << 20))
    explanation = explained("MemoryError", right_facts=facts(runner=used))

    assert explanation.rule == "limits"
    assert (f"tests in after: used at most {peak} MiB of 96 MiB" in explanation.evidence) is is_evidence


def test_usage_is_no_difference():
    right = runner(usage=Usage(memory_peak=2 << 30, cpu_seconds=60.0))

    assert compared(left=run(facts=facts()), right=run(facts=facts(runner=right))).differences == ()
