"""The way back: everything that was made is unmade, the newest first."""

from __future__ import annotations

from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, SeatrialError
from seatrial.model.result import Stage
from seatrial.stages.context import Ctx, Report, done

__all__ = ["run"]

_SECONDS: Final = 120.0


def run(ctx: Ctx) -> Report:
    """Undo all steps. One that fails does not keep the others from being tried.

    Raises:
        EnvironmentFailed: something is left; the ledger knows it, and the next command tries again.
    """
    # Not the run's deadline: taking down has to happen when that has passed, too.
    deadline = Deadline.after(_SECONDS)
    undone, failed = [], []
    while step := ctx.undo.pop():
        what, undo = step
        ctx.progress(Stage.TEARDOWN)(f"removing {what}")
        try:
            undo(deadline)
        except SeatrialError as error:
            failed.append(f"{what}: {error.message}")
        else:
            undone.append(what)
    if failed:
        raise EnvironmentFailed("something could not be removed", reason="; ".join(failed), hint="seatrial clean")
    return done(removed=", ".join(undone))
