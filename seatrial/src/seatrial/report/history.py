"""Reduce the events of a run to the course of its stages, tests and pods. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from seatrial.model import event as e
from seatrial.model.blame import Blame
from seatrial.model.event import Event
from seatrial.model.finding import Finding
from seatrial.model.result import RunResult
from seatrial.model.selection import Selection
from seatrial.report.page import Outcome

__all__ = ["History", "StageSpan", "TestSpan"]

_RANK: Final[tuple[Outcome, ...]] = ("error", "failed", "xpassed", "xfailed", "skipped", "passed")
"""Outcomes of phases; the first one that a test has is the outcome of the test."""


@dataclass(slots=True)
class StageSpan:
    """A stage that started.

    Attributes:
        start: seconds after the start of the run.
        end: the same; None if it did not end.
        outcome: how it ended; empty if it did not end.
    """

    name: str
    start: float
    end: float | None = None
    outcome: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class TestSpan:
    """A test that started, or a file that could not be collected.

    Attributes:
        start: seconds after the start of the run.
        end: the same, of the last report.
        seconds: duration of all phases.
        outcome: the worst outcome of its phases; `unfinished` if it has no result.
        worker: worker of pytest-xdist; empty without.
    """

    nodeid: str
    start: float | None
    end: float | None = None
    seconds: float = 0.0
    outcome: Outcome = "unfinished"
    worker: str = ""


@dataclass(slots=True)
class History:
    """The course of a run, as its events tell it.

    Attributes:
        run: id of the run.
        start: time of the first event; None before it.
        end: seconds after the start, of the last event.
        command: command line without `seatrial`.
        selection: its options that select the project and the environment.
        tests: by node id, in the order of their start.
        pods: states of pods, in order.
        cluster_events: Event objects of the cluster, in order.
        blames: whose fault failed tests are, by node id.
        result: None if the run ended without a result.
    """

    run: str = ""
    start: datetime | None = None
    end: float = 0.0
    command: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    directory: str = ""
    stages: list[StageSpan] = field(default_factory=list)
    tests: dict[str, TestSpan] = field(default_factory=dict)
    pods: list[tuple[float, e.PodSeen]] = field(default_factory=list)
    cluster_events: list[tuple[float, e.KubernetesEvent]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    blames: dict[str, Blame] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    result: RunResult | None = None

    def take(self, event: Event) -> None:
        """Add an event. Call it for every event in order."""
        if self.start is None:
            self.start, self.run = event.at, event.run
        at = (event.at - self.start).total_seconds()
        self.end = max(self.end, at)
        match event.body:
            case e.TestStarted() as started:
                self._test_started(at, started)
            case e.TestReported() as report:
                self._test_reported(at, report)
            case e.RunStarted() as begun:
                self.command, self.directory, self.selection = begun.command, begun.directory, begun.selection
            case e.StageStarted(stage=stage):
                self.stages.append(StageSpan(stage, at))
            case e.StageEnded() as ended:
                self._stage_ended(at, ended)
            case e.PodSeen() as pod:
                self.pods.append((at, pod))
            case e.KubernetesEvent() as seen:
                self.cluster_events.append((at, seen))
            case e.TestBlamed(blame=blame):
                self.blames[blame.nodeid] = blame
            case e.FindingMade(finding=finding) if finding not in self.findings:
                self.findings.append(finding)
            case e.Note(level="warning", text=text) if text not in self.warnings:
                self.warnings.append(text)
            case e.RunEnded(result=result):
                self.result = result

    def _stage_ended(self, at: float, ended: e.StageEnded) -> None:
        for span in reversed(self.stages):
            if span.name == ended.stage and span.end is None:
                span.end, span.outcome, span.facts = at, ended.outcome, ended.facts
                return

    def _test_started(self, at: float, started: e.TestStarted) -> None:
        known = self.tests.get(started.nodeid)
        if known is None:
            self.tests[started.nodeid] = TestSpan(started.nodeid, at, worker=started.worker)

    def _test_reported(self, at: float, report: e.TestReported) -> None:
        span = self.tests.get(report.nodeid)
        if span is None:
            span = self.tests[report.nodeid] = TestSpan(report.nodeid, None if report.when == "collect" else at)
        span.end = at
        span.seconds += report.seconds
        span.worker = report.worker or span.worker
        # A test whose set-up passed has no result yet. With --setup-only, it has one after its tear-down.
        if report.outcome != "passed" or report.when in ("call", "teardown"):
            known = span.outcome
            span.outcome = report.outcome if known == "unfinished" else min(known, report.outcome, key=_RANK.index)
