"""Teardown stage: remove everything that was created for the environment."""

from __future__ import annotations

from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created
from seatrial.model.result import Stage
from seatrial.removal.removers import access_of, remove_resources
from seatrial.stages.context import ComposeCtx, Ctx, Report, done

__all__ = ["run"]


def run(ctx: Ctx | ComposeCtx, deadline: Deadline) -> Report[None]:
    """Remove all resources of the environment.

    Args:
        ctx: the run.
        deadline: end of the removal; that of the run may have passed.

    Raises:
        EnvironmentFailed: a resource could not be removed; the next command tries again.
    """
    access, removed = access_of(ctx.env, ctx.record), list[Created]()
    # A stage that did not end in time may still record a resource.
    while left := [each for each in ctx.record.resources if each not in removed]:
        removed += remove_resources(left, access, deadline=deadline, progress=ctx.progress(Stage.TEARDOWN))
    return done(None, {"removed": ", ".join(map(str, removed))})
