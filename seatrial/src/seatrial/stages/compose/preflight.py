"""Preflight stage: check the engine and Compose, and read the Compose file, before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seatrial.compose.runner_services import variables_of
from seatrial.compose.startup import runner_exec
from seatrial.model.errors import UsageError
from seatrial.ports import Object
from seatrial.runner.prestarted_exec import PrestartedExec
from seatrial.stages.context import ComposeCtx, Report, done, unchanged

__all__ = ["ComposeFile", "run"]


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """The project's Compose file.

    Attributes:
        config: the file as Compose reads it.
        versions: program to version, of those that were checked.
        prestarted: the command in the runner of a kept environment that waits for the test run; None: no command waits.
    """

    config: Object
    versions: Mapping[str, str]
    prestarted: PrestartedExec | None


def run(ctx: ComposeCtx) -> Report[ComposeFile]:
    """Check the engine and Compose, and read the Compose file.

    Raises:
        UsageError: a check failed, Compose cannot read the file, or a variable of the tests has no value.
    """
    spec, env = ctx.project.compose, ctx.env
    if spec is None:
        raise UsageError(
            "the configuration has no table [compose]", hint='add [compose] with file = "compose.yaml" to seatrial.toml'
        )
    variables_of(ctx.project.runner, spec)
    prestarted = None
    if ctx.tests and not ctx.is_new:
        prestarted = PrestartedExec(runner_exec(env.compose, ctx.project.runner.pod))
        ctx.at_end.callback(prestarted.abandon)
    versions = {"engine": env.engine_info().version, "compose": env.compose.version()} if ctx.is_new else {}
    config = env.compose.config(
        spec.file, env_files=spec.env_file, profiles=spec.profiles, services=spec.services, deadline=ctx.deadline
    )
    found = ComposeFile(config, versions, prestarted)
    return done(found, versions) if ctx.is_new else unchanged(found)
