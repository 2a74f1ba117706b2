"""The judgment on one object: ready or waiting, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from seatrial.model.finding import Finding, ObjectRef

__all__ = ["READY", "Judgment", "Suspicion", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A problem that waiting may solve.

    Attributes:
        finding: the problem. `readiness.grace` decides by time whether it is fatal.
        grace: seconds until it is fatal; 0 if waiting does not solve it.
    """

    finding: Finding
    grace: float

    @property
    def key(self) -> tuple[str, ObjectRef]:
        """Identifies the suspicion over several snapshots."""
        return self.finding.cause, self.finding.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """Whether an object is ready.

    Attributes:
        reason: what it waits for, in a few words; empty if it is ready.
        suspicions: what is wrong with it.
    """

    state: Literal["ready", "waiting"]
    reason: str = ""
    suspicions: tuple[Suspicion, ...] = field(default=())


READY = Judgment(state="ready")


def waiting(reason: str, *suspicions: Suspicion) -> Judgment:
    """Return the judgment of an object that waits for `reason`."""
    return Judgment(state="waiting", reason=reason, suspicions=suspicions)
