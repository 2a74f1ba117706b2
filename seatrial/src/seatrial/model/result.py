"""What a run came to: the tree that `result.json` holds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding
from seatrial.model.names import EnvironmentId, RunId

__all__ = [
    "RESULT_SCHEMA",
    "Counts",
    "ImageUsed",
    "Outcome",
    "Problem",
    "RunResult",
    "Stage",
    "StageResult",
    "TreeProof",
]

RESULT_SCHEMA = 1
"""Version of `result.json`; raised when a reader of the former one would be misled."""


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
        seconds: how long it took.
        facts: what it found or made, by name, for people.
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
    """Tests by outcome, as pytest counts them.

    Attributes:
        collected: all that were found, without those deselected.
        errors: in set-up, tear-down or collection.
        not_run: tests that did not run for a reason of the environment, by reason: `stand-in`.
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
    """An image that took part in the run.

    Attributes:
        digest: of its manifest, as the node resolved it: `sha256:…`.
        size: bytes, as the engine counts them; 0 if it does not know.
        stands_in_for: the image that it replaces here; empty if it is the real one.
    """

    reference: str
    digest: str
    size: int = 0
    stands_in_for: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What stopped a run, as people read it.

    Attributes:
        message: one line, what failed.
        reason: one line, why; empty if there is nothing to add.
        hint: one line, what to do about it; empty if we do not know.
        log: path of the file with the rest of the story; empty if there is none.
    """

    message: str
    reason: str = ""
    hint: str = ""
    log: str = ""


class TreeProof(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that what ran is what stands in the working tree.

    Attributes:
        host: digest over the paths and contents of the files as they are on the host.
        pod: the same over what the runner imported from.
        files: how many files that covers.
    """

    host: str
    pod: str
    files: int


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        schema: version of these fields.
        run: name of the run, and of its directory.
        environment: id of the environment that it was in.
        started: wall clock of the host, with its offset from UTC.
        seconds: from start to end.
        exit: what the process ended with; 2 if it was interrupted.
        verdict: a few words for people.
        problem: what stopped it, the worst if there were several; null if all stages ran to their end.
        counts: the tests.
        stages: what was done, in the order of its start.
        images: images that took part.
        images_size: bytes of these and of the nodes' image, layers that they share once; 0 if the run made no cluster.
        versions: of tools, engine and cluster, by name.
        tree: proof that what ran is what stands in the working tree; null if no tests ran.
        reports: paths of the files that options of pytest name: `--html`, `--log-file`.
        peak_memory: bytes the machine had in use above the start of the run, at most.
        kept: whether the environment was left for the next command.
    """

    schema: int = RESULT_SCHEMA
    run: RunId
    environment: EnvironmentId
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
    reports: tuple[str, ...] = ()
    peak_memory: int = 0
    kept: bool = False
