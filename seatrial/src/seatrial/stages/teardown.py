"""Teardown stage: remove everything that was created for the environment."""

from __future__ import annotations

from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.result import Stage
from seatrial.removal.removers import access_of, remove_resources
from seatrial.stages.context import Ctx, Report, done

__all__ = ["run"]

_SECONDS: Final = 120.0


def run(ctx: Ctx) -> Report:
    """Remove all resources of the environment.

    Raises:
        EnvironmentFailed: a resource could not be removed; the next command tries again.
    """
    # Not the run's deadline, which may have passed.
    deadline = Deadline.after(_SECONDS)
    access = access_of(ctx.env, ctx.record)
    removed = remove_resources(ctx.record.resources, access, deadline=deadline, progress=ctx.progress(Stage.TEARDOWN))
    return done(removed=", ".join(map(str, removed)))
