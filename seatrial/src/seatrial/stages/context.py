"""What every stage works with: what was asked for, the environment's ports, and what the stages before found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO

from seatrial.environments.kubernetes import Kubernetes
from seatrial.image_inputs.image_manifest import Manifest
from seatrial.images.engine_images import EngineImages
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.event import Note, StageProgress
from seatrial.model.finding import Finding
from seatrial.model.names import RunId
from seatrial.model.result import ImageUsed, Outcome, Stage
from seatrial.model.spec import Project
from seatrial.namespaces.lease import Lease
from seatrial.namespaces.ownership import Owner
from seatrial.ports import Emit, Kube, LocalImage, Object
from seatrial.releases.applied_sets import AppliedSet
from seatrial.removal.resources import Resources
from seatrial.runner.prestarted_exec import PrestartedExec
from seatrial.runner.run_tests import TestRun
from seatrial.runner_pod.lifecycle import RunnerPod

__all__ = ["Ctx", "Facts", "Report", "done", "unchanged"]


class Report(NamedTuple):
    """What a stage came to."""

    outcome: Outcome
    facts: dict[str, str]
    findings: tuple[Finding, ...] = ()


def done(**facts: str) -> Report:
    """Return the report of a stage that did something."""
    return Report(Outcome.DONE, facts)


def unchanged(**facts: str) -> Report:
    """Return the report of a stage that found everything as it should be."""
    return Report(Outcome.UNCHANGED, facts)


@dataclass(slots=True, kw_only=True)
class Facts:
    """What stages found for those after them.

    Attributes:
        fresh: whether the cluster is made by this run.
        kube: the cluster's API, once there is one.
        usable: whether the cluster came to be of use.
        tags: image name to reference, as it is built or will be.
        manifest: what the image of the runner's pod was built from; None: it is not built from this project.
        places: folders of the runner's pod that files may be sent to.
        images: what is on the engine, by reference.
        release_digests: digest of what each release is made from, by its name, as it was before it was installed.
        rendered: the objects of each release, by its name.
        applied: the objects of manifests and pull Secrets that this run applied, by the name of their set.
        installed: the objects of each release that was installed by this run, as Helm made them.
        targets: the workloads of each release that must be ready.
        used: images that take part, for the result.
        ahead: of images that a node pulls before any pod asks: whether it could.
        delivered: canonical reference to digest of its manifest in the registry.
        pushed: references of the images that this command pushed.
        images_size: bytes of all images, the nodes' too, layers that they share once; 0: not measured.
        runner_pod: what creates and recreates the runner pod; None before the install stage.
        prestarted_exec: the command in the runner that takes the run, started before its turn.
        tests: the finished test run; None: the tests did not run.
    """

    fresh: bool = True
    kube: Kube | None = None
    usable: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    manifest: Manifest | None = None
    places: tuple[str, ...] = ()
    images: dict[str, LocalImage] = field(default_factory=dict)
    release_digests: dict[str, str] = field(default_factory=dict)
    rendered: dict[str, list[Object]] = field(default_factory=dict)
    applied: dict[str, AppliedSet] = field(default_factory=dict)
    installed: dict[str, list[Object]] = field(default_factory=dict)
    targets: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    used: dict[str, ImageUsed] = field(default_factory=dict)
    ahead: dict[str, Future[bool]] = field(default_factory=dict)
    delivered: dict[str, str] = field(default_factory=dict)
    pushed: set[str] = field(default_factory=set)
    images_size: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    runner_pod: RunnerPod | None = None
    prestarted_exec: PrestartedExec | None = None
    tests: TestRun | None = None


@dataclass(slots=True, kw_only=True)
class Ctx:
    """One run.

    Attributes:
        run_dir: where its files go.
        log_dir: below it, for what programs print.
        keep: whether the environment is to be left as it is: never, on-failure, always.
        pytest_args: what the user added to the runner's command.
        out: where pytest's own output goes.
        resources: what is created, recorded before it exists.
        explain: tell of each file that changed what that means.
        discard: delete files in the pod that earlier runs made there.
        lease: says to others that we work in a namespace; None: the cluster is ours alone.
        cancelled: set once another stage failed.
        engine_images: images on the engine.
        tests: whether they are to run.
        failed: whether anything went wrong, once that is known.
    """

    project: Project
    env: Kubernetes
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
    facts: Facts = field(default_factory=Facts)
    lease: Lease | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    engine_images: EngineImages = field(init=False)
    tests: bool = False
    failed: bool = False
    explain: bool = False
    discard: bool = False

    def __post_init__(self) -> None:
        """Start with no known image."""
        self.engine_images = EngineImages(self.env.images)

    @property
    def kube(self) -> Kube:
        """The cluster's API."""
        assert self.facts.kube is not None, "the cluster stage comes first"  # noqa: S101
        return self.facts.kube

    @property
    def record(self) -> EnvironmentRecord:
        """The record of the environment."""
        return self.resources.record

    @property
    def owner(self) -> Owner:
        """The environment of this run, as the owner of namespaces."""
        return Owner(
            labels=self.record.labels,
            kept=self.keep == "always",
            environment=self.record.namespace,
            pod_security=self.project.namespace.pod_security,
        )

    def log(self, name: str) -> Path:
        """Return the path of a log file of this run."""
        return self.run_dir / "logs" / f"{name}.log"

    def progress(self, stage: Stage) -> Callable[[str], None]:
        """Return what tells what a stage is doing."""
        return lambda text: self.emit(StageProgress(stage=stage, text=text))

    def warn(self, text: str) -> None:
        """Tell something that matters and has no type of its own."""
        self.emit(Note(level="warning", text=text))
