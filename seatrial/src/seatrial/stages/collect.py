"""Collect stage: write container logs and facts to the run directory, and after a failure probes and objects."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Final

from seatrial.collection.collector import collect
from seatrial.collection.facts_recorder import FactsRecorder
from seatrial.collection.fingerprint_key import fingerprint_key
from seatrial.model.environment_facts import Usage
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding
from seatrial.runner.run_tests import TestRun
from seatrial.runner_pod.service_probes import ServiceProbes
from seatrial.stages.context import Ctx, Report, done
from seatrial.stages.deliver import DeliveredImages

__all__ = ["Collection", "has_failed_tests", "run", "usage_of"]

_FAILED: Final = (ExitCode.TESTS_FAILED, ExitCode.INCONCLUSIVE, ExitCode.PYTEST_INTERNAL)

_IDLE_LIMIT: Final = 60.0
"""Seconds without a file read after which the rest is left out."""

_IDLE_LIMIT_TIMED_OUT: Final = 5.0
"""The same after the tests timed out."""

_IDLE_LIMIT_INTERRUPTED: Final = 1.5
"""The same after Ctrl-C or SIGTERM."""


_DRAIN: Final = 0.3
"""Seconds to wait for the last lines of followed logs after a failure."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What the collect stage measured.

    Attributes:
        images_size: bytes of all images of a new environment, shared layers counted once; 0 if not measured.
    """

    images_size: int = 0


def run(ctx: Ctx, delivered: DeliveredImages | None, tests: TestRun | None, *, failed: bool) -> Report[Collection]:
    """Write logs of all containers, facts for comparisons, and after a failure objects to the run directory.

    If the run passed in an environment that already existed, only lines printed since its start are written: older ones
    were collected by earlier runs, and `seatrial logs` shows them.

    Args:
        ctx: the run.
        delivered: images that take part, if the deliver stage succeeded.
        tests: the test run, if there was one.
        failed: whether a stage or a test failed.
    """
    if not ctx.is_connected:
        return done(Collection())
    facts = _facts(ctx, delivered, tests)
    problem = ctx.recorder.stop(drain=_DRAIN if failed else 0.0) if ctx.recorder else None
    findings = _probe(ctx, tests)
    whole = failed or ctx.is_new
    bundle = ctx.run_dir / "bundle" if failed else None
    collected = collect(
        ctx.kube,
        ctx.project.used_namespaces,
        ctx.run_dir,
        since=None if whole else math.ceil((ctx.env.clock.now() - ctx.started).total_seconds()) + 1,
        bundle=bundle,
        idle_limit=_idle_limit(tests),
        recorder=ctx.recorder,
    )
    if isinstance(problem, OSError):
        ctx.warn(f"the recording of the cluster ended early: {problem}")
    elif problem is not None:
        raise problem
    if not collected.complete:
        ctx.warn("not all logs were collected: the cluster does not answer")
    # The facts were read meanwhile: a cluster that did not answer then is not waited for again.
    seconds = _idle_limit(tests) if collected.complete else 0.0
    if facts is not None and not facts.finish(ctx.run_dir, collected.sizes, seconds=seconds):
        ctx.warn("facts.json was not written: the cluster does not answer")
    images_size = 0
    if ctx.is_new:
        used = [each.reference for each in delivered.used] if delivered else []
        images_size = ctx.env.images.disk_usage([*used, *(ctx.env.nodes.images() if ctx.env.nodes else ())])
    shown = {"logs": str(collected.logs), **({"bundle": str(bundle)} if bundle else {})}
    return done(Collection(images_size), shown, findings)


def _facts(ctx: Ctx, delivered: DeliveredImages | None, tests: TestRun | None) -> FactsRecorder | None:
    """Begin to read the facts about the environment; None if the run has no tests."""
    if not ctx.tests:
        return None
    key = fingerprint_key(ctx.env.shared, os.environ)
    used = delivered.used if delivered is not None else ()
    here = {each.digest: image.digest for each in used if (image := ctx.engine_images.get(each.reference)) is not None}
    recorder = FactsRecorder(
        kube=ctx.kube, project=ctx.project, key=key, question=ctx.question, usage=usage_of(tests), images=here
    )
    recorder.start()
    return recorder


def _probe(ctx: Ctx, tests: TestRun | None) -> tuple[Finding, ...]:
    """Return which services do not answer after tests that failed."""
    if not has_failed_tests(tests):
        return ()
    probes = ServiceProbes(kube=ctx.kube, project=ctx.project, emit=ctx.emit, canceled=ctx.canceled)
    return probes.after_failed_tests(ctx.env.directory)


def usage_of(tests: TestRun | None) -> Usage:
    """Return what the container of the tests used, as far as it is known."""
    return tests.usage if tests is not None else Usage()


def has_failed_tests(tests: TestRun | None) -> bool:
    """Return whether tests ended in a way for which a service may be the cause."""
    return tests is not None and tests.verdict.exit in _FAILED


def _idle_limit(tests: TestRun | None) -> float:
    if tests is not None and tests.verdict.exit is ExitCode.OUT_OF_TIME:
        return _IDLE_LIMIT_TIMED_OUT
    if tests is not None and tests.interrupted is not None:
        return _IDLE_LIMIT_INTERRUPTED
    return _IDLE_LIMIT
