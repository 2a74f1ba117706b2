"""Teardown stage: remove the Compose project."""

from __future__ import annotations

from seatrial.model.deadline import Deadline
from seatrial.model.result import Stage
from seatrial.removal.removers import Access, remove_resources
from seatrial.stages.context import ComposeCtx, Report, done

__all__ = ["run"]


def run(ctx: ComposeCtx, deadline: Deadline) -> Report[None]:
    """Remove all containers, networks, volumes and built images of the environment.

    Args:
        ctx: the run.
        deadline: end of the removal; that of the run may have passed.

    Raises:
        EnvironmentFailed: a resource could not be removed; the next command tries again.
    """
    access = Access(record=ctx.record, compose=ctx.env.compose)
    removed = remove_resources(ctx.record.resources, access, deadline=deadline, progress=ctx.progress(Stage.TEARDOWN))
    return done(None, {"removed": ", ".join(map(str, removed))})
