"""The result of a run: the content of `result.json`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from seatrial.model.blame import Blame
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding
from seatrial.model.names import EnvironmentId, RunId

__all__ = [
    "RESULT_SCHEMA",
    "Counts",
    "ImageUsed",
    "Outcome",
    "PodChanges",
    "Problem",
    "RunResult",
    "Stage",
    "StageResult",
    "TreeProof",
]

RESULT_SCHEMA = 2
"""Version of `result.json`. It is raised when readers of the version before would misunderstand a field."""


class Stage(StrEnum):
    """The steps of a run, in the order of their start."""

    PREFLIGHT = "preflight"
    CLUSTER = "cluster"
    BUILD = "build"
    DELIVER = "deliver"
    INSTALL = "install"
    READY = "ready"
    TEST = "test"
    COLLECT = "collect"
    TEARDOWN = "teardown"


class Outcome(StrEnum):
    """How a stage ended."""

    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a run.

    Attributes:
        started: seconds after the start of the run.
        seconds: duration.
        alone: seconds of the run's duration that this stage accounts for, where stages overlap.
        facts: names and values that describe its result, for people.
        findings: causes of its failure, most likely first.
    """

    stage: Stage
    outcome: Outcome
    started: float
    seconds: float
    alone: float = 0.0
    facts: dict[str, str] = {}
    findings: tuple[Finding, ...] = ()


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of tests by outcome, as pytest counts them.

    Attributes:
        collected: collected tests without deselected ones.
        errors: errors in setup, teardown or collection.
        not_run: tests that this environment cannot run, by reason: `stand-in`.
    """

    collected: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    xfailed: int = 0
    xpassed: int = 0
    deselected: int = 0
    not_run: dict[str, int] = {}


class ImageUsed(msgspec.Struct, frozen=True, kw_only=True):
    """An image that the run used.

    Attributes:
        digest: digest of the manifest that the node resolved: `sha256:…`.
        size: bytes on the engine; 0 if the engine does not have it.
        stands_in_for: the image that it replaces on this machine; empty if it replaces none.
    """

    reference: str
    digest: str
    size: int = 0
    stands_in_for: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The error that stopped a run.

    Attributes:
        message: one line, what failed.
        reason: one line, why; empty if unknown or obvious.
        hint: one line, what to do; empty if unknown.
        log: path of a file with details; empty if the problem has no log.
    """

    message: str
    reason: str = ""
    hint: str = ""
    log: str = ""


class TreeProof(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that the tests ran with the files of the working tree.

    Attributes:
        host: digest over paths and contents of the files on the host.
        pod: digest over paths and contents of the files in the runner pod.
        files: number of files.
        kept: data files of earlier runs that the pod has and the working tree does not; they are in neither digest.
    """

    host: str
    pod: str
    files: int
    kept: tuple[str, ...] = ()


class PodChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a run changed in the synced folders of the pod: at most a thousand paths of each kind.

    Attributes:
        collected: came into the working tree, by `[runner] collect-into-tree`.
        created: data files that the working tree does not have. They stay in the pod for the next run.
        changed: files of the working tree that are different in the pod, or gone. The next run has the tree's again.
        discarded: other entries that the working tree does not have: modules, settings, links. The next run deletes
            them.
        stays: whether the pod still runs; else the next command creates another one, without these files.
        copies: directory with copies of the files; empty if no file was copied.
    """

    collected: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    discarded: tuple[str, ...] = ()
    stays: bool = True
    copies: str = ""


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run.

    Attributes:
        schema: version of these fields.
        run: id of the run, and name of its directory.
        environment: kind of the environment that it used: kubernetes or compose. In schema 1: its id.
        environment_id: id of the environment; empty in schema 1.
        started: time on the host, with its offset from UTC.
        seconds: duration.
        exit: exit code of the process; 2 if the run was interrupted.
        verdict: the result in a few words.
        problem: the error that stopped the run, the worst of several; null if all stages ended.
        counts: numbers of tests.
        stages: the stages in the order of their start.
        images: images that the run used.
        images_size: bytes of these and of the nodes' image, shared layers once; 0 if the run created no cluster.
        versions: versions of tools, engine and cluster, by name.
        tree: proof that the tests ran with the files of the working tree; null if no tests ran.
        pod_changes: files that the tests changed in the synced folders of the pod; null if none.
        reports: paths of the files that options of pytest name: `--html`, `--log-file`.
        peak_memory: most bytes in use on the machine during the run, less those in use at its start.
        kept: whether the environment was kept for the next command.
        blame: whose fault each failed test is, with the problems in the cluster that concern it.
    """

    schema: int = RESULT_SCHEMA
    run: RunId
    environment: str
    environment_id: EnvironmentId = EnvironmentId("")
    started: datetime
    seconds: float
    exit: ExitCode
    verdict: str
    problem: Problem | None = None
    counts: Counts = Counts()
    stages: tuple[StageResult, ...] = ()
    images: tuple[ImageUsed, ...] = ()
    images_size: int = 0
    versions: dict[str, str] = {}
    tree: TreeProof | None = None
    pod_changes: PodChanges | None = None
    reports: tuple[str, ...] = ()
    peak_memory: int = 0
    kept: bool = False
    blame: tuple[Blame, ...] = ()
