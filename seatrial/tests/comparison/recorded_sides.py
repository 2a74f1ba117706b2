"""Build sides of a comparison from a few words."""

from __future__ import annotations

from datetime import UTC, date, datetime

from msgspec.structs import replace
from seatrial.comparison.compare import compare
from seatrial.comparison.recorded import RecordedRun, RecordedTest, Side
from seatrial.comparison.tests import Bounds
from seatrial.model.environment_facts import (
    ContainerFacts,
    EnvironmentFacts,
    EnvironmentKind,
    NameAnswer,
    PortAnswer,
    RunnerFacts,
    Variable,
)
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import Outcome, Problem, RunResult, Stage, StageResult

TODAY = date(2026, 2, 1)
RUNNER = RunnerFacts(
    user=1000,
    search=("shop.svc.cluster.local",),
    ndots=5,
    names=(NameAnswer(name="web", addresses=1),),
    ports=(PortAnswer(service="web", host="web", port=80, seconds=0.002),),
)
WEB = ContainerFacts(
    name="web",
    names=("web",),
    image="web:1",
    digest="sha256:aaaa",
    variables={"MODE": Variable(fingerprint="11112222")},
    probes=("readiness",),
    seconds_to_ready=2.0,
    log=10,
)


def container(**more):
    return replace(WEB, **more)


def runner(**more):
    return replace(RUNNER, **more)


def facts(*containers, kind="kubernetes", key="k", runner=RUNNER, policies=()):
    return EnvironmentFacts(
        kind=EnvironmentKind(kind), key=key, runner=runner, containers=containers or (WEB,), policies=policies
    )


def recorded(outcome="passed", seconds=0.01, text="", services=()):
    return RecordedTest(outcome=outcome, seconds=seconds, text=text, services=frozenset(services))


def run(tests=None, *, facts=None, exit_=None, logs=None, problem="", evidence=(), deselected=0):
    tests = {"tests/test_a.py::test_a": recorded()} if tests is None else tests
    bad = any(each.outcome in ("failed", "error") for each in tests.values())
    result = RunResult(
        run=RunId("20260131-154501-3f2a"),
        environment=EnvironmentId("5e551040"),
        started=datetime(2026, 1, 31, tzinfo=UTC),
        seconds=1.0,
        exit=exit_ if exit_ is not None else ExitCode.TESTS_FAILED if bad else ExitCode.PASSED,
        verdict=problem or "all tests passed",
        problem=Problem(message=problem) if problem else None,
        stages=(
            StageResult(
                stage=Stage.READY,
                outcome=Outcome.FAILED,
                started=0.0,
                seconds=1.0,
                findings=(
                    Finding(
                        cause="CrashLoopBackOff",
                        subject=ObjectRef(kind="Pod", name="web-1"),
                        message=problem,
                        evidence=tuple(evidence),
                    ),
                ),
            ),
        )
        if problem
        else (),
    )
    counts = replace(result.counts, deselected=deselected)
    return RecordedRun(
        directory="/runs/x", result=replace(result, counts=counts), tests=tests, facts=facts, logs=logs or {}
    )


def side(name, *runs):
    return Side(name=name, runs=runs)


def pair(left=None, right=None):
    """Return two sides of one run each, with equal facts unless given."""
    return side("before", left or run(facts=facts())), side("after", right or run(facts=facts()))


def compared(left=None, right=None, **more):
    one, other = pair(left, right)
    return compare(one, other, bounds=Bounds(), today=TODAY, **more)


def explained(text, *, services=(), logs=None, left_facts=None, right_facts=None):
    """Return the explanation of a test that passes on the left and fails on the right with a text."""
    passed = {"tests/test_a.py::test_a": recorded(services=services)}
    failed = {"tests/test_a.py::test_a": recorded("failed", text=text, services=services)}
    comparison = compared(
        run(passed, facts=left_facts or facts()), run(failed, facts=right_facts or facts(), logs=logs)
    )
    return next(each.explanation for each in comparison.differences if each.kind == "test-outcome")


def fact(left_facts, right_facts, kind):
    """Return the difference of one kind between two environments with equal tests."""
    comparison = compared(run(facts=left_facts), run(facts=right_facts))
    return next(each for each in comparison.differences if each.kind == kind)
