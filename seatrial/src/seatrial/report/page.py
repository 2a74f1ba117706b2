"""The content of a report, independent of its format. All times are seconds after the start of the run."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "FAILED_OUTCOMES",
    "Bar",
    "Failure",
    "FileLink",
    "FoundCause",
    "Image",
    "Incident",
    "Lane",
    "LogExcerpt",
    "LogLine",
    "Mark",
    "Outcome",
    "OutcomeCount",
    "OutputSection",
    "Page",
    "Phase",
    "Service",
    "StageRow",
    "SuspectedCause",
    "Test",
    "Timeline",
    "Tone",
    "TraceLine",
    "TraceLineKind",
    "Verdict",
]

Tone = Literal["passed", "failed", "environment", "interrupted", "unknown"]
"""What a verdict says: the tests passed or failed, the environment failed, the run was cut short, or no verdict."""

FAILED_OUTCOMES = frozenset(("failed", "error", "unfinished"))
"""Outcomes of tests that a report explains. `unfinished`: the test started and never ended."""

Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "unfinished"]
TraceLineKind = Literal["source", "error", "added", "removed", "hint", "location", "text"]
BarKind = Literal[
    "done", "unchanged", "failed", "skipped", "interrupted", "running",
    "passed", "error", "xfailed", "xpassed", "unfinished",
    "pending", "starting", "ready", "ended", "broken",
]  # fmt: skip


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the values of a page."""


class OutcomeCount(_Value, frozen=True, kw_only=True):
    """The number of tests with an outcome."""

    outcome: str
    number: int


class SuspectedCause(_Value, frozen=True, kw_only=True):
    """A problem in the cluster that may explain a failure.

    Attributes:
        relation: how sure that is: `caused by` or `coincided with`.
        fault: class of the fault: `service` or `platform`.
        text: the problem in one line.
        service: the service that it took away; empty if unknown.
        links: why it concerns the test, one line each.
        evidence: lines that prove the problem.
        hint: one line, what to do; empty if unknown.
    """

    relation: str
    fault: str
    text: str
    service: str = ""
    links: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    hint: str = ""


class Verdict(_Value, frozen=True, kw_only=True):
    """The result of the run.

    Attributes:
        text: the verdict in a few words.
        exit: exit code; None if the run ended without a result.
        fault: whose fault the failures are, one line; empty if nothing is known or nothing failed.
        reason: one line, why the run stopped; empty if unknown.
        hint: one line, what to do; empty if unknown.
        log: path of a file with details; empty if the problem has no log.
    """

    tone: Tone
    text: str
    exit: int | None = None
    fault: str = ""
    reason: str = ""
    hint: str = ""
    log: str = ""


class FoundCause(_Value, frozen=True, kw_only=True):
    """A finding: the cause of a failure or delay.

    Attributes:
        title: object, cause and message.
        fatal: whether waiting longer was pointless.
    """

    title: str
    evidence: tuple[str, ...] = ()
    hint: str = ""
    fatal: bool = False


class TraceLine(_Value, frozen=True, kw_only=True):
    """A line of a traceback or of an assertion's explanation."""

    kind: TraceLineKind
    text: str


class OutputSection(_Value, frozen=True, kw_only=True):
    """Captured output of a test: `Captured stdout call`."""

    name: str
    text: str


class Phase(_Value, frozen=True, kw_only=True):
    """A failed phase of a test.

    Attributes:
        when: `setup`, `call`, `teardown` or `collect`.
        message: message of the exception, first line.
        explanation: the exception's message and the diff of an assertion.
        trace: the whole traceback.
        file: where it failed, relative to pytest's root directory; empty if unknown.
        line: line number from 1; 0 if unknown.
    """

    when: str
    message: str
    explanation: tuple[TraceLine, ...] = ()
    trace: tuple[TraceLine, ...] = ()
    sections: tuple[OutputSection, ...] = ()
    file: str = ""
    line: int = 0


class LogLine(_Value, frozen=True, kw_only=True):
    """A line of a container's log.

    Attributes:
        at: when it was printed; None if the log has no times.
        severe: whether it reports an error.
    """

    at: float | None
    text: str
    severe: bool = False


class LogExcerpt(_Value, frozen=True, kw_only=True):
    """What a container printed during a test.

    Attributes:
        source: namespace, pod and container.
        service: workload that the pod belongs to.
        file: path of the whole log, relative to the run directory.
        lines: lines of the interval; if there are too many, the first and last ones.
        left_out: number of lines of the interval that are not in `lines`.
    """

    source: str
    service: str
    file: str
    lines: tuple[LogLine, ...]
    left_out: int = 0


class Incident(_Value, frozen=True, kw_only=True):
    """A change or warning in the cluster."""

    at: float
    subject: str
    text: str
    warning: bool = False


class Failure(_Value, frozen=True, kw_only=True):
    """Why a test failed.

    Attributes:
        phases: the failed phases.
        fault: whose fault it is: `test`, `service` or `platform`; empty if the cluster was not recorded.
        causes: problems in the cluster that may explain it, strongest evidence first.
        incidents: changes and warnings in the cluster during the test.
        logs: what services printed during the test.
        reproduce: command line that runs this test.
    """

    phases: tuple[Phase, ...] = ()
    fault: str = ""
    causes: tuple[SuspectedCause, ...] = ()
    incidents: tuple[Incident, ...] = ()
    logs: tuple[LogExcerpt, ...] = ()
    reproduce: str = ""


class Test(_Value, frozen=True, kw_only=True):
    """A test.

    Attributes:
        id: identifier in the page: `t17`.
        start: start of its set-up; None if it never started.
        seconds: duration of all phases.
        worker: worker of pytest-xdist; empty without.
        services: services that it asked for.
        file: path relative to pytest's root directory.
        line: line number from 1; 0 if unknown.
        reason: why it was skipped or expected to fail; empty otherwise.
        failure: None if it did not fail.
    """

    id: str
    nodeid: str
    outcome: Outcome
    start: float | None
    seconds: float
    worker: str = ""
    services: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
    reason: str = ""
    failure: Failure | None = None

    @property
    def failed(self) -> bool:
        """Whether the report explains it."""
        return self.outcome in FAILED_OUTCOMES

    @property
    def concerned(self) -> tuple[str, ...]:
        """Services that it asked for or that may have made it fail."""
        causes = self.failure.causes if self.failure else ()
        return tuple(dict.fromkeys((*self.services, *(cause.service for cause in causes if cause.service))))


class StageRow(_Value, frozen=True, kw_only=True):
    """A stage of the run.

    Attributes:
        alone: seconds of the run's duration that it accounts for.
        facts: names and values that describe its result.
    """

    name: str
    outcome: str
    start: float
    seconds: float
    alone: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()
    findings: tuple[FoundCause, ...] = ()


class Bar(_Value, frozen=True, kw_only=True):
    """A span of time in a lane.

    Attributes:
        kind: decides its color and pattern.
        text: what it shows, for people.
        target: identifier of the test that it shows; empty for others.
    """

    start: float
    end: float
    kind: BarKind
    text: str
    target: str = ""


class Mark(_Value, frozen=True, kw_only=True):
    """A moment in a lane: a restart, a warning."""

    at: float
    text: str


class Lane(_Value, frozen=True, kw_only=True):
    """A row of the timeline.

    Attributes:
        name: stage, worker, or pod and container.
        group: what the row shows.
        service: workload that the pod belongs to; empty for other rows.
    """

    name: str
    group: Literal["stages", "tests", "containers"]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...] = ()
    service: str = ""


class Timeline(_Value, frozen=True, kw_only=True):
    """Stages, tests and containers on one clock.

    Attributes:
        seconds: end of the clock.
    """

    seconds: float
    lanes: tuple[Lane, ...]


class Image(_Value, frozen=True, kw_only=True):
    """An image that the run used."""

    reference: str
    digest: str
    size: int = 0
    stands_in_for: str = ""


class Service(_Value, frozen=True, kw_only=True):
    """A container of a service, as the cluster or the engine describes it.

    Attributes:
        limits: memory and processors: `512 MiB, 0.5 CPU`; empty if there are none.
        ready: seconds from its start until it was ready; None if unknown.
        last_exit: reason and exit code of the last exit; empty if it never exited.
    """

    name: str
    image: str
    digest: str
    limits: str = ""
    ready: float | None = None
    restarts: int = 0
    last_exit: str = ""


class FileLink(_Value, frozen=True, kw_only=True):
    """A file of the run.

    Attributes:
        path: relative to the run directory.
        size: bytes.
    """

    path: str
    size: int


class Page(_Value, frozen=True, kw_only=True):
    """The content of a report.

    Attributes:
        run: id of the run.
        command: command line of seatrial.
        started: time in UTC: `2026-01-31 15:45:01 UTC`.
        seconds: duration of the run.
        counts: numbers of tests by outcome, failures first.
        findings: causes of failures and delays, most likely first.
        notes: warnings and remarks of the run.
        tests: in the order of their start.
        facts: groups of names and values about the environment.
        images: images that the run used.
        containers: containers of the services.
        files: files of the run.
    """

    run: str
    command: str
    started: str
    seconds: float
    verdict: Verdict
    counts: tuple[OutcomeCount, ...] = ()
    findings: tuple[FoundCause, ...] = ()
    notes: tuple[str, ...] = ()
    tests: tuple[Test, ...] = ()
    stages: tuple[StageRow, ...] = ()
    timeline: Timeline = Timeline(seconds=0.0, lanes=())
    facts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    images: tuple[Image, ...] = ()
    containers: tuple[Service, ...] = ()
    files: tuple[FileLink, ...] = ()

    @property
    def failures(self) -> tuple[Test, ...]:
        """Tests that the report explains."""
        return tuple(test for test in self.tests if test.failed)

    @property
    def services(self) -> tuple[str, ...]:
        """Services that tests asked for, or whose containers are shown."""
        asked = {service for test in self.tests for service in test.concerned}
        return tuple(sorted(asked | {lane.service for lane in self.timeline.lanes if lane.service}))
