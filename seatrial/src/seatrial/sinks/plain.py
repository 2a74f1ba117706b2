"""Render a run as plain lines for CI logs, pipes and dumb terminals: no colors, no cursor movement."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TextIO

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.model.finding import Finding
from seatrial.model.result import Stage
from seatrial.sinks import words

__all__ = ["Plain"]

_INTERVAL: Final = timedelta(seconds=10)
"""Time between two progress lines of a stage, and between two lines of a waiting service."""


class Plain:
    """Renderer for plain lines.

    Args:
        stream: output stream.
        quiet: write only failures and the verdict.
        verbose: 1: also all progress, what services wait for, warnings of the cluster; 2: also pods and tests.
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False, verbose: int = 0) -> None:
        self._stream = stream
        self._quiet = quiet
        self._verbose = verbose
        self._begin: datetime | None = None
        self._now = timedelta()
        self._directory = ""
        self._written: dict[str, tuple[str, timedelta]] = {}
        self._ready: set[str] = set()
        self._findings: set[Finding] = set()

    def __call__(self, event: Event, /) -> None:
        """Write the lines of an event; most events have none."""
        self._begin = self._begin or event.at
        self._now = event.at - self._begin
        match event.body:
            case e.FindingMade(finding=finding):
                self.finding(finding)
            case e.Note(level="warning", text=text):
                self.line(f"warning: {text}")
            case e.RunEnded(result=result):
                for line in words.problem(result, self._findings):
                    self.line(line)
                for line in () if self._quiet else words.remarks(result):
                    self.line(line)
                self.line(words.last_line(result, self._directory))
            case e.StageEnded(stage=stage, outcome="failed", seconds=seconds):
                self.line(f"{stage} FAILED after {words.duration(seconds)}")
            case body if not self._quiet:
                self._progress(body)
            case e.RunStarted(directory=directory):
                self._directory = directory
            case _:
                pass

    def close(self) -> None:
        """Do nothing: every line is written at once."""

    def line(self, text: str) -> None:
        """Write one line."""
        stamp = f"[{self._now.total_seconds():6.1f}] " if not self._quiet else ""
        print(f"{stamp}{text}", file=self._stream, flush=True)

    def finding(self, finding: Finding) -> None:
        """Write a finding, once."""
        if finding in self._findings:
            return
        self._findings.add(finding)
        self.line(words.finding(finding))
        for text in words.evidence(finding):
            self.line(f"  {text}")

    def _progress(self, body: e.Body) -> None:
        match body:
            case e.RunStarted(command=command, directory=directory):
                self._directory = directory
                self.line(f"seatrial {' '.join(command)}; files in {words.relative(directory)}")
            case e.StageStarted(stage=stage):
                self.line(f"{stage} …")
            case e.StageProgress(stage=stage, text=text):
                self._throttled(str(stage), f"{stage}: {text}")
            case e.StageEnded(stage=stage, outcome=outcome, seconds=seconds, facts=facts):
                details = f": {words.facts(facts)}" if facts else ""
                self.line(f"{stage} {words.outcome(outcome)} in {words.duration(seconds)}{details}")
            case e.ServiceSeen(name=name, ready=True):
                if name not in self._ready:
                    self.line(f"{Stage.READY}: {name} is ready")
                self._ready.add(name)
            case e.ServiceSeen(name=name, waits_for=waits_for):
                self._ready.discard(name)
                self._throttled(name, f"{Stage.READY}: {words.waiting(name, waits_for)}")
            case e.Note(level="info", text=text):
                self.line(text)
            case _ if self._verbose:
                self._details(body)

    def _details(self, body: e.Body) -> None:
        match body:
            case e.Note(text=text):
                self.line(text)
            case e.KubernetesEvent(type="Warning", subject=subject, reason=reason, message=message):
                self.line(f"{subject}: {reason}: {message}")
            case e.PodSeen(pod=pod, phase=phase, node=node, ready=ready, restarts=restarts, reason=reason):
                if self._verbose > 1:
                    state = "ready" if ready else reason or phase
                    again = f", restarted {restarts} times" if restarts else ""
                    self.line(f"{pod} on {node or 'no node'}: {state}{again}")
            case e.TestReported(nodeid=nodeid, outcome=outcome, seconds=seconds, when="call"):
                if self._verbose > 1:
                    self.line(f"{nodeid} {outcome} in {words.duration(seconds)}")
            case _:
                pass

    def _throttled(self, about: str, text: str) -> None:
        """Write a line unless it repeats the last one of its subject, or follows it too soon."""
        last, at = self._written.get(about, ("", -_INTERVAL))
        if text != last and (self._verbose or self._now - at >= _INTERVAL):
            self._written[about] = (text, self._now)
            self.line(text)
