"""Ready stage: wait until all containers are ready and all declared services answer from inside the network."""

from __future__ import annotations

from seatrial.compose.service_probes import hint_of, probes_of
from seatrial.compose.service_wait import ServiceWait
from seatrial.compose.startup import runner_exec
from seatrial.runner.probe_run import ProbeRun
from seatrial.stages.compose.install import StartedProject
from seatrial.stages.context import ComposeCtx, Report, done, unchanged

__all__ = ["run"]


def run(ctx: ComposeCtx, started: StartedProject) -> Report[None]:
    """Wait until all containers and services are ready, then record that for the next command.

    Raises:
        NotReady: a container or service failed, or is not ready in time.
    """
    probes = probes_of(ctx.project.service)
    facts = {"containers": str(len(started.containers)), "services": str(len(probes))}
    if not started.changed:
        return unchanged(None, facts)
    until, compose = ctx.deadline.child(ctx.project.timeouts.ready), ctx.env.compose
    containers = ServiceWait(compose=compose, emit=ctx.emit, canceled=ctx.canceled)(started.containers, until)
    run_probes = ProbeRun(
        connect=lambda: runner_exec(compose, ctx.project.runner.pod),
        probes=probes,
        namespace="",
        emit=ctx.emit,
        canceled=ctx.canceled,
        hint=hint_of,
    )
    run_probes(until.left)
    started.start.save(containers)
    return done(None, facts)
