"""The one stream of facts that leaves the core. Sinks render it; a past run renders again from its `events.jsonl`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

import msgspec

from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.redaction import safe_struct
from seatrial.model.result import Outcome, RunResult, Stage

__all__ = [
    "Body",
    "Event",
    "FindingMade",
    "KubernetesEvent",
    "Note",
    "PodSeen",
    "RunEnded",
    "RunStarted",
    "ServiceSeen",
    "Sink",
    "StageEnded",
    "StageProgress",
    "StageStarted",
    "TestReported",
    "TestStarted",
    "TestsCollected",
    "decode_event",
    "encode_event",
    "safe_body",
]


class _Body(msgspec.Struct, frozen=True, kw_only=True, tag_field="body", tag=True):
    """Base of the bodies; the class name is the tag on the wire."""


class RunStarted(_Body, frozen=True, kw_only=True, tag=True):
    """The first event of every run.

    Attributes:
        environment: id of the environment that the run is in.
        command: what was asked for, without `seatrial`.
        stages: the stages that will run, if nothing stops them.
        directory: where the files of the run are.
    """

    environment: EnvironmentId
    command: tuple[str, ...]
    stages: tuple[Stage, ...]
    directory: str


class StageStarted(_Body, frozen=True, kw_only=True, tag=True):
    """A stage begins. Stages may overlap."""

    stage: Stage


class StageProgress(_Body, frozen=True, kw_only=True, tag=True):
    """What a running stage is doing now.

    Attributes:
        text: a few words: `pushing web, 1 of 3 layers`.
    """

    stage: Stage
    text: str


class StageEnded(_Body, frozen=True, kw_only=True, tag=True):
    """A stage is over.

    Attributes:
        facts: what it found or made, by name, for people.
    """

    stage: Stage
    outcome: Outcome
    seconds: float
    facts: dict[str, str] = {}


class ServiceSeen(_Body, frozen=True, kw_only=True, tag=True):
    """A workload or service that the run waits for.

    Attributes:
        name: as the configuration or the chart calls it.
        ready: whether it is ready now.
        waits_for: what it waits for; empty once it is ready.
    """

    name: str
    ready: bool
    waits_for: str = ""


class PodSeen(_Body, frozen=True, kw_only=True, tag=True):
    """A pod changed.

    Attributes:
        node: where it runs; empty before it is scheduled.
        phase: Kubernetes' own word: `Running`.
        restarts: of all its containers together.
        reason: why it is not ready, in Kubernetes' own word, if it has one: `ImagePullBackOff`.
    """

    pod: ObjectRef
    node: str
    phase: str
    ready: bool
    restarts: int
    reason: str = ""


class KubernetesEvent(_Body, frozen=True, kw_only=True, tag=True):
    """An Event object of the cluster.

    Attributes:
        subject: what it is about.
        type: `Normal` or `Warning`.
        reason: Kubernetes' own word: `FailedScheduling`.
    """

    subject: ObjectRef
    type: str
    reason: str
    message: str


class TestsCollected(_Body, frozen=True, kw_only=True, tag=True):
    """pytest finished collecting.

    Attributes:
        count: tests that will run, without those deselected.
    """

    count: int


class TestStarted(_Body, frozen=True, kw_only=True, tag=True):
    """A test begins.

    Attributes:
        nodeid: pytest's own name for it.
        worker: the worker of pytest-xdist that runs it; empty without.
    """

    nodeid: str
    worker: str = ""


class TestReported(_Body, frozen=True, kw_only=True, tag=True):
    """One phase of a test is over.

    Attributes:
        nodeid: pytest's own name for it; of a file that could not be collected, its path.
        when: the phase.
        worker: the worker of pytest-xdist that ran it; empty without.
    """

    nodeid: str
    when: Literal["setup", "call", "teardown", "collect"]
    outcome: Literal["passed", "failed", "skipped", "xfailed", "xpassed", "error"]
    seconds: float
    worker: str = ""


class FindingMade(_Body, frozen=True, kw_only=True, tag=True):
    """A cause was found.

    Attributes:
        finding: the cause, with its evidence.
    """

    finding: Finding


class Note(_Body, frozen=True, kw_only=True, tag=True):
    """Something worth telling that has no type of its own.

    Attributes:
        level: `debug` is shown with `-v` only, `warning` always.
    """

    level: Literal["debug", "info", "warning"]
    text: str


class RunEnded(_Body, frozen=True, kw_only=True, tag=True):
    """The last event of every run.

    Attributes:
        result: all of it, as in `result.json`.
    """

    result: RunResult


Body = (
    RunStarted
    | StageStarted
    | StageProgress
    | StageEnded
    | ServiceSeen
    | PodSeen
    | KubernetesEvent
    | TestsCollected
    | TestStarted
    | TestReported
    | FindingMade
    | Note
    | RunEnded
)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, when it was seen and its place in the run.

    Attributes:
        run: the run it belongs to.
        seq: 0, 1, 2, … without a gap.
        at: wall clock of the host, with its offset from UTC.
        body: the fact.
    """

    run: RunId
    seq: int
    at: datetime
    body: Body


class Sink(Protocol):
    """Takes every event of a run, in order, from one thread at a time."""

    def __call__(self, event: Event, /) -> None:
        """Take the event. Must return quickly and never raise because of what the event says."""

    def close(self) -> None:
        """Write what is left. Called once, after the last event, also when the run was cut short."""


def safe_body(body: Body) -> Body:
    """Return a fact with its texts safe to print and without known secrets: what every sink gets.

    Facts of tests pass: the decoder of records has made them safe, and there are tens of thousands of them.
    """
    return body if isinstance(body, TestStarted | TestReported | TestsCollected) else safe_struct(body)


_decoder = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """Return the event as one line of JSON without the line's end."""
    return msgspec.json.encode(event)


def decode_event(line: bytes) -> Event:
    """Return the event of one line.

    Raises:
        msgspec.DecodeError: the line is not an event, or one of a newer version with bodies unknown to this one.
    """
    return _decoder.decode(line)
