"""Track the state of a run from its events, for a live display. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.model.result import Stage

__all__ = ["Board", "Running", "Tests"]


@dataclass
class Running:
    """A stage in progress."""

    since: datetime
    text: str = ""


@dataclass
class Tests:
    """Progress of the tests. `now` maps each pytest-xdist worker to its running test."""

    collected: int = 0
    ended: int = 0
    failed: int = 0
    now: dict[str, str] = field(default_factory=dict)
    _bad: set[str] = field(default_factory=set)

    def take(self, body: e.TestReported) -> None:
        """Count one phase of a test. A test ends with its teardown and counts as failed once."""
        if body.outcome in {"failed", "error"} and body.nodeid not in self._bad:
            self._bad.add(body.nodeid)
            self.failed += 1
        if body.when == "teardown":
            self.ended += 1
            self.now.pop(body.worker, None)


@dataclass
class Board:
    """The state of a run after its latest event.

    Attributes:
        directory: directory of the run's files.
        running: stages in progress, in the order of their start.
        waiting: what each service that is not ready waits for.
        ready: services that are ready.
        tests: progress of the tests.
    """

    directory: str = ""
    running: dict[Stage, Running] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    tests: Tests = field(default_factory=Tests)

    def take(self, event: Event) -> None:
        """Update the state with an event."""
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
