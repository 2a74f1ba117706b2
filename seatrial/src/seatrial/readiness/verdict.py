"""The answer to one question: may the tests begin, as far as this object goes?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from seatrial.model.finding import Finding, ObjectRef

__all__ = ["READY", "Suspicion", "Verdict", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Something wrong that may still heal.

    Attributes:
        finding: what it is; `fatal` is decided by time, see `readiness.patience`.
        grace: seconds that it is given; 0: it never heals.
    """

    finding: Finding
    grace: float

    @property
    def key(self) -> tuple[str, ObjectRef]:
        """What makes it the same suspicion at the next look."""
        return self.finding.cause, self.finding.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Ready, waiting for something, or with suspicions.

    Attributes:
        reason: what it waits for, in a few words; empty if ready.
    """

    state: Literal["ready", "waiting"]
    reason: str = ""
    suspicions: tuple[Suspicion, ...] = field(default=())


READY = Verdict(state="ready")


def waiting(reason: str, *suspicions: Suspicion) -> Verdict:
    """Return the verdict that something is awaited."""
    return Verdict(state="waiting", reason=reason, suspicions=suspicions)
