"""Collect stage: write container logs to the run directory, and after a failure probes and descriptions."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from seatrial.collection.engine_facts import engine_facts
from seatrial.collection.facts_recorder import write_facts
from seatrial.collection.fingerprint_key import fingerprint_key, key_id
from seatrial.compose.collector import collect
from seatrial.compose.runner_services import own_services
from seatrial.compose.service_probes import probes_of
from seatrial.compose.startup import runner_exec
from seatrial.model.environment_facts import EnvironmentFacts, EnvironmentKind, Usage
from seatrial.model.errors import SeatrialError
from seatrial.model.finding import Finding
from seatrial.ports import Object
from seatrial.runner.probe_run import ProbeRun, probe_after_failed_tests
from seatrial.runner.run_tests import TestRun
from seatrial.stages.collect import Collection, has_failed_tests, usage_of
from seatrial.stages.context import ComposeCtx, Report, done

__all__ = ["run"]


def run(ctx: ComposeCtx, tests: TestRun | None, *, failed: bool) -> Report[Collection]:
    """Write the logs of all containers to the run directory, and after a failure what the engine says of them.

    If the run passed in an environment that already existed, only lines printed since its start are written.

    Args:
        ctx: the run.
        tests: the test run, if there was one.
        failed: whether a stage or a test failed.
    """
    try:
        containers = ctx.env.compose.containers()
    except SeatrialError as error:
        ctx.warn(f"no logs were collected: {error.message}")
        return done(Collection())
    if not containers:
        return done(Collection())
    findings = _probe(ctx, tests)
    whole = failed or ctx.is_new
    bundle = ctx.run_dir / "bundle" if failed else None
    since = None if whole else math.ceil((ctx.env.clock.now() - ctx.started).total_seconds()) + 1
    logs = collect(ctx.env.compose, containers, ctx.run_dir, since=since, bundle=bundle)
    if ctx.tests:
        _record_facts(ctx, containers, logs, usage_of(tests))
    images_size = ctx.env.images.disk_usage(sorted({str(each["Image"]) for each in containers})) if ctx.is_new else 0
    facts = {"logs": str(sum(map(bool, logs.values()))), **({"bundle": str(bundle)} if bundle else {})}
    return done(Collection(images_size), facts, findings)


def _record_facts(ctx: ComposeCtx, containers: list[Object], logs: Mapping[str, int], usage: Usage) -> None:
    """Write `facts.json`.

    Args:
        ctx: the run.
        containers: the containers of the project.
        logs: name of a container to the bytes of its log that could be read.
        usage: what the container of the tests used.
    """
    key = fingerprint_key(ctx.env.shared, os.environ)
    runner, problem = None, "there was no container of the tests"
    if ctx.question is not None:
        runner, problem = ctx.question.answer(usage)
    images = ctx.env.images.inspect(sorted({str(each["Image"]) for each in containers}))
    facts = EnvironmentFacts(
        kind=EnvironmentKind.COMPOSE,
        platform=ctx.env.compose.version(),
        key=key_id(key),
        runner=runner,
        runner_problem=problem,
        containers=engine_facts(
            containers,
            own=own_services(ctx.project.runner.pod),
            key=key,
            image_variables={image.digest: image.env for image in images.values()},
            logs=logs,
        ),
    )
    write_facts(ctx.run_dir, facts)


def _probe(ctx: ComposeCtx, tests: TestRun | None) -> tuple[Finding, ...]:
    """Return which services do not answer after tests that failed."""
    if not has_failed_tests(tests):
        return ()
    probes = ProbeRun(
        connect=lambda: runner_exec(ctx.env.compose, ctx.project.runner.pod),
        probes=probes_of(ctx.project.service),
        namespace="",
        emit=ctx.emit,
        canceled=ctx.canceled,
    )
    return probe_after_failed_tests(probes, ctx.emit)
