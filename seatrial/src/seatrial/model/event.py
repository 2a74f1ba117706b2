"""The events of a run: the only output of the core. Sinks render them; `events.jsonl` keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

import msgspec

from seatrial.model.blame import Blame
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.redaction import safe_struct
from seatrial.model.result import Outcome, RunResult, Stage
from seatrial.model.selection import Selection

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
    "TestBlamed",
    "TestReported",
    "TestStarted",
    "TestsCollected",
    "decode_event",
    "encode_event",
    "safe_body",
]


class _Body(msgspec.Struct, frozen=True, kw_only=True, tag_field="body", tag=True):
    """Base of the bodies. The class name is the tag in JSON."""


class RunStarted(_Body, frozen=True, kw_only=True, tag=True):
    """The first event of every run.

    Attributes:
        environment: id of the environment that the run uses.
        command: the command line without `seatrial`.
        stages: the stages that will run unless one fails.
        directory: directory of the run's files.
        selection: its options that select the project and the environment.
    """

    environment: EnvironmentId
    command: tuple[str, ...]
    stages: tuple[Stage, ...]
    directory: str
    selection: Selection = Selection()


class StageStarted(_Body, frozen=True, kw_only=True, tag=True):
    """A stage started. Stages may overlap."""

    stage: Stage


class StageProgress(_Body, frozen=True, kw_only=True, tag=True):
    """Progress of a running stage.

    Attributes:
        text: the current step, for people: `pushing web, 1 of 3 layers`.
    """

    stage: Stage
    text: str


class StageEnded(_Body, frozen=True, kw_only=True, tag=True):
    """A stage ended.

    Attributes:
        facts: names and values that describe its result, for people.
    """

    stage: Stage
    outcome: Outcome
    seconds: float
    facts: dict[str, str] = {}


class ServiceSeen(_Body, frozen=True, kw_only=True, tag=True):
    """The state of a workload or service that the run waits for changed.

    Attributes:
        name: its name in the configuration or the chart.
        ready: whether it is ready now.
        waits_for: what it waits for; empty once it is ready.
    """

    name: str
    ready: bool
    waits_for: str = ""


class PodSeen(_Body, frozen=True, kw_only=True, tag=True):
    """The state of a pod changed.

    Attributes:
        node: its node; empty before it is scheduled.
        phase: phase in Kubernetes: `Running`.
        restarts: restarts of all its containers.
        reason: reason in Kubernetes why it is not ready: `ImagePullBackOff`; empty if Kubernetes gives no reason.
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
        subject: the object that the event regards.
        type: `Normal` or `Warning`.
        reason: reason in Kubernetes: `FailedScheduling`.
    """

    subject: ObjectRef
    type: str
    reason: str
    message: str


class TestsCollected(_Body, frozen=True, kw_only=True, tag=True):
    """pytest finished collecting.

    Attributes:
        count: collected tests without deselected ones.
    """

    count: int


class TestStarted(_Body, frozen=True, kw_only=True, tag=True):
    """A test started.

    Attributes:
        nodeid: node id in pytest.
        worker: worker of pytest-xdist; empty without pytest-xdist.
    """

    nodeid: str
    worker: str = ""


class TestReported(_Body, frozen=True, kw_only=True, tag=True):
    """One phase of a test ended.

    Attributes:
        nodeid: node id in pytest; for a file that could not be collected, its path.
        when: the phase.
        worker: worker of pytest-xdist; empty without pytest-xdist.
        services: services that a failed test asked for or connected to.
    """

    nodeid: str
    when: Literal["setup", "call", "teardown", "collect"]
    outcome: Literal["passed", "failed", "skipped", "xfailed", "xpassed", "error"]
    seconds: float
    worker: str = ""
    services: tuple[str, ...] = ()


class FindingMade(_Body, frozen=True, kw_only=True, tag=True):
    """The cause of a failure was found.

    Attributes:
        finding: the cause with its evidence.
    """

    finding: Finding


class TestBlamed(_Body, frozen=True, kw_only=True, tag=True):
    """It is known whose fault a failed test is. Emitted after the last test.

    Attributes:
        blame: the fault, and the problems in the cluster that concern the test.
    """

    blame: Blame


class Note(_Body, frozen=True, kw_only=True, tag=True):
    """A message for people.

    Attributes:
        level: `debug` is shown with `-v` only, `warning` always.
    """

    level: Literal["debug", "info", "warning"]
    text: str


class RunEnded(_Body, frozen=True, kw_only=True, tag=True):
    """The last event of every run.

    Attributes:
        result: the content of `result.json`.
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
    | TestBlamed
    | FindingMade
    | Note
    | RunEnded
)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a run.

    Attributes:
        run: id of the run.
        seq: 0, 1, 2, … without a gap.
        at: time on the host, with its offset from UTC.
        body: the event itself.
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
    """Return a body whose texts are safe to print and contain no known secret.

    Events of tests are returned unchanged: the decoder has made them safe, and there are tens of thousands of them.
    """
    return body if isinstance(body, TestStarted | TestReported | TestsCollected) else safe_struct(body)


_decoder = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """Return an event as one line of JSON, without a line feed."""
    return msgspec.json.encode(event)


def decode_event(line: bytes) -> Event:
    """Return the event of one line.

    Raises:
        msgspec.DecodeError: the line is not an event, or its body is unknown to this version.
    """
    return _decoder.decode(line)
