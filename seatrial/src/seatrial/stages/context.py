"""Define what every stage receives and returns: the run and the report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, TextIO, TypeVar

from seatrial.collection.runner_question import RunnerQuestion
from seatrial.environments.compose import Compose
from seatrial.environments.environment import Environment
from seatrial.environments.kubernetes import Kubernetes
from seatrial.images.engine_images import EngineImages
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.errors import SeatrialError
from seatrial.model.event import Note, StageProgress
from seatrial.model.finding import Finding
from seatrial.model.names import RunId
from seatrial.model.result import Outcome, Stage
from seatrial.model.selection import Selection
from seatrial.model.spec import Project
from seatrial.namespaces.lease import Lease
from seatrial.namespaces.ownership import Owner
from seatrial.ports import Emit, Kube
from seatrial.removal.resources import Resources
from seatrial.watching.recorder import ClusterRecorder, Scope

__all__ = ["ComposeCtx", "Ctx", "Report", "RunContext", "done", "unchanged"]


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Generic[T]):
    """What a stage did.

    Attributes:
        result: what later stages need of it. The pipeline stores it and passes it to them.
        outcome: done, or unchanged if there was nothing to do.
        facts: what users read about the stage, by name.
        findings: what the stage found to be wrong.
    """

    result: T
    outcome: Outcome
    facts: Mapping[str, str]
    findings: tuple[Finding, ...] = ()


def done(result: T, facts: Mapping[str, str] | None = None, findings: tuple[Finding, ...] = ()) -> Report[T]:
    """Return the report of a stage that changed something."""
    return Report(result=result, outcome=Outcome.DONE, facts=facts or {}, findings=findings)


def unchanged(result: T, facts: Mapping[str, str] | None = None) -> Report[T]:
    """Return the report of a stage that had nothing to change."""
    return Report(result=result, outcome=Outcome.UNCHANGED, facts=facts or {})


@dataclass(slots=True, kw_only=True)
class RunContext:
    """One run in any kind of environment: what the user asked for, and what the run holds open.

    Attributes:
        resources: records what a stage creates, before it exists.
        run_dir: folder for the files of this run.
        command: name and arguments of the command.
        emit: takes events.
        deadline: end of the run. Stages derive theirs from it.
        keep: whether to keep the environment: never, on-failure or always.
        pytest_args: arguments that the user added for pytest.
        out: takes pytest's output.
        color: whether `out` is colored.
        at_end: closes what stages hold open until the end of the run: the Lease, early pulls, the prestarted exec.
        tests: whether tests will run.
        explain: whether to report the consequence of each changed file.
        discard: whether to delete files in the pod that earlier runs created there.
        selection: options of the command that select the project and the environment.
        canceled: set once another stage has failed.
        facts: what users read about each stage that has not ended, as far as it is known.
        engine_images: images on the engine.
        question: asks the container of the tests for its facts, once tests run there.
        is_new: whether this run creates the cluster or the Compose project.
    """

    project: Project
    env: Environment
    resources: Resources
    run: RunId
    run_dir: Path
    command: tuple[str, ...]
    started: datetime
    emit: Emit
    deadline: Deadline
    keep: str
    pytest_args: tuple[str, ...]
    out: TextIO
    color: bool
    at_end: ExitStack
    tests: bool = False
    explain: bool = False
    discard: bool = False
    selection: Selection = field(default_factory=Selection)
    canceled: threading.Event = field(default_factory=threading.Event)
    facts: dict[Stage, dict[str, str]] = field(default_factory=dict)
    question: RunnerQuestion | None = None
    engine_images: EngineImages = field(init=False)
    is_new: bool = field(init=False)

    def __post_init__(self) -> None:
        """Derive the remaining attributes."""
        self.engine_images = EngineImages(self.env.images)
        created = {each.kind for each in self.record.resources}
        self.is_new = not self.record.shares and not created & {"cluster", "compose"}

    @property
    def record(self) -> EnvironmentRecord:
        """The record of the environment."""
        return self.resources.record

    def log(self, name: str) -> Path:
        """Return the path of a log file of this run."""
        return self.run_dir / "logs" / f"{name}.log"

    def fact(self, stage: Stage, name: str, value: str) -> None:
        """Record what users read about a stage before it ends. If the stage fails, this is all that is reported."""
        self.facts.setdefault(stage, {})[name] = value

    def progress(self, stage: Stage) -> Callable[[str], None]:
        """Return a function that emits what a stage does."""
        return lambda text: self.emit(StageProgress(stage=stage, text=text))

    def beside(self, work: Callable[[], object]) -> None:
        """Start work that no stage waits for. The run waits for it at its end; an error of it does not fail the run."""

        def run() -> None:
            with suppress(SeatrialError):
                work()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.at_end.callback(thread.join)

    def warn(self, text: str) -> None:
        """Emit a warning."""
        self.emit(Note(level="warning", text=text))


@dataclass(slots=True, kw_only=True)
class Ctx(RunContext):
    """One run in a Kubernetes environment.

    Attributes:
        lease: the Lease of the runner's namespace in a shared cluster, once it is held.
        recorder: records what happens in the cluster, once its API answers.
    """

    env: Kubernetes
    lease: Lease | None = None
    recorder: ClusterRecorder | None = None
    _kube: Kube | None = field(init=False, default=None)

    def connect(self) -> Kube:
        """Connect to the cluster for this stage and the later ones."""
        self._kube = self.env.cluster.connect()
        return self._kube

    def record_cluster(self) -> None:
        """Start to record what happens in the cluster, until the collect stage or the end of the run."""
        runner = self.project.runner
        scope = Scope(
            namespaces=self.project.used_namespaces,
            whole_cluster=not self.record.shares,
            isolated_for=runner.namespace if runner.isolated_namespaces else "",
            project=self.record.project_label,
        )
        self.recorder = ClusterRecorder(
            self.kube.streams(),
            self.run_dir,
            scope,
            self.env.clock,
            is_new=self.is_new or not self.record.kept,
            followed_logs=self.env.followed_logs,
        )
        self.at_end.callback(self.recorder.stop)

    @property
    def is_connected(self) -> bool:
        """Whether a stage connected to the cluster."""
        return self._kube is not None

    @property
    def kube(self) -> Kube:
        """The cluster's API. A stage must have connected to it."""
        assert self._kube is not None, "the cluster stage connects"  # noqa: S101
        return self._kube

    @property
    def owner(self) -> Owner:
        """The environment of this run, as the owner of namespaces."""
        return Owner(
            labels=self.record.labels,
            kept=self.keep == "always",
            environment=self.record.namespace,
            pod_security=self.project.namespace.pod_security,
        )


@dataclass(slots=True, kw_only=True)
class ComposeCtx(RunContext):
    """One run in a Compose environment."""

    env: Compose
