"""Decide whether an environment is kept at the end of a run. Pure."""

from __future__ import annotations

from enum import Enum

from seatrial.model.environment_record import EnvironmentRecord

__all__ = ["Fate", "fate_of"]


class Fate(Enum):
    """What happens to an environment at the end of a run."""

    KEPT = "the next command uses it"
    REMOVED = "its resources are removed"
    LEFT = "nothing changes: the next command removes it unless it was kept before"


def fate_of(record: EnvironmentRecord, *, keep: str, usable: bool, failed: bool) -> Fate:
    """Return what happens to an environment at the end of a run.

    Args:
        record: the environment as it was at the start of the run.
        keep: what the user asked for: never, on-failure or always.
        usable: whether its cluster became ready.
        failed: whether a stage or a test failed.
    """
    is_new = not record.kept
    # A cluster that never became ready is of no use, whatever the user asked for.
    if is_new and (keep == "never" or (keep == "on-failure" and not failed) or not (usable or record.shares)):
        return Fate.REMOVED
    return Fate.KEPT if usable else Fate.LEFT
