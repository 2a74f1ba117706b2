"""Test stage: run the tests in the runner of the Compose project."""

from __future__ import annotations

from collections.abc import Callable

from seatrial.compose.service_wait import ServiceWait
from seatrial.compose.startup import container_of, runner_exec
from seatrial.model.errors import SeatrialError
from seatrial.ports import ContainerState
from seatrial.readiness.container import engine_container_state
from seatrial.runner.run_tests import TestRun
from seatrial.stages.compose.install import StartedProject
from seatrial.stages.context import ComposeCtx, Report
from seatrial.stages.test import Runner, run_in

__all__ = ["run"]


def run(ctx: ComposeCtx, started: StartedProject, *, cut: Callable[[TestRun], None]) -> Report[TestRun]:
    """Sync the working tree to the runner, run the tests in it, and collect their files.

    Args:
        ctx: the run.
        started: the Compose project.
        cut: takes the test run if an exception cuts it off.

    Raises:
        EnvironmentFailed: the run could not be started.
        UsageError: an option of pytest cannot be used here.
    """
    spec, compose, start = ctx.project.runner, ctx.env.compose, started.start

    def state() -> ContainerState:
        try:
            return engine_container_state(container_of(compose.containers(), spec.pod))
        except SeatrialError:
            # The engine does not answer. The container may still run.
            return ContainerState(state="running")

    def recreate() -> None:
        containers = start.recreate_runner()
        until = ctx.deadline.child(ctx.project.timeouts.ready)
        start.save(ServiceWait(compose=compose, emit=ctx.emit, canceled=ctx.canceled)(containers, until))

    runner = Runner(
        exec_=runner_exec(compose, spec.pod),
        where=f"container {spec.pod} of Compose project {compose.name}",
        namespace="",
        directory=spec.workdir or (start.local.workdir if start.local else "") or "/",
        state=state,
        recreate=recreate,
        prestarted=started.prestarted,
    )
    return run_in(ctx, runner, cut=cut)
