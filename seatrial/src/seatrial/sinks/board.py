"""What is going on now, folded out of the events so far: what a live display shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.model.result import Stage

__all__ = ["Board", "Running", "Tests"]


@dataclass
class Running:
    """A stage that has begun and not ended."""

    since: datetime
    text: str = ""


@dataclass
class Tests:
    """How far the tests are. `now` has the running test of each worker."""

    collected: int = 0
    ended: int = 0
    failed: int = 0
    now: dict[str, str] = field(default_factory=dict)
    _bad: set[str] = field(default_factory=set)

    def take(self, body: e.TestReported) -> None:
        """Count a phase of a test: a test has ended with its tear-down, and counts as failed once."""
        if body.outcome in {"failed", "error"} and body.nodeid not in self._bad:
            self._bad.add(body.nodeid)
            self.failed += 1
        if body.when == "teardown":
            self.ended += 1
            self.now.pop(body.worker, None)


@dataclass
class Board:
    """The state of a run at the newest event.

    Attributes:
        directory: where the files of the run are.
        running: stages that run, in the order of their start.
        waiting: what a stage waits for: service to what that waits for.
        ready: services seen ready.
        tests: how far the tests are.
    """

    directory: str = ""
    running: dict[Stage, Running] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    tests: Tests = field(default_factory=Tests)

    def take(self, event: Event) -> None:
        """Move to the state after `event`."""
        match event.body:
            case e.RunStarted(directory=directory):
                self.directory = directory
            case e.StageStarted(stage=stage):
                self.running[stage] = Running(event.at)
            case e.StageProgress(stage=stage, text=text) if stage in self.running:
                self.running[stage].text = text
            case e.StageEnded(stage=stage):
                self.running.pop(stage, None)
                if stage is Stage.READY:
                    self.waiting.clear()
            case e.ServiceSeen(name=name, ready=True):
                self.waiting.pop(name, None)
                self.ready.add(name)
            case e.ServiceSeen(name=name, waits_for=waits_for):
                self.waiting[name] = waits_for
                self.ready.discard(name)
            case e.TestsCollected(count=count):
                self.tests.collected = count
            case e.TestStarted(nodeid=nodeid, worker=worker):
                self.tests.now[worker] = nodeid
            case e.TestReported() as reported:
                self.tests.take(reported)
            case _:
                pass
