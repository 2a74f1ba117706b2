"""Teardown stage: remove everything that was created for the environment."""

from __future__ import annotations

from seatrial.model.deadline import Deadline
from seatrial.model.result import Stage
from seatrial.removal.removers import access_of, remove_resources
from seatrial.stages.context import Ctx, Report, done

__all__ = ["run"]


def run(ctx: Ctx, deadline: Deadline) -> Report[None]:
    """Remove all resources of the environment.

    Args:
        ctx: the run.
        deadline: end of the removal; that of the run may have passed.

    Raises:
        EnvironmentFailed: a resource could not be removed; the next command tries again.
    """
    access = access_of(ctx.env, ctx.record)
    removed = remove_resources(ctx.record.resources, access, deadline=deadline, progress=ctx.progress(Stage.TEARDOWN))
    return done(None, {"removed": ", ".join(map(str, removed))})
